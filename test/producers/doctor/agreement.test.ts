import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { healthyArea, isRoot, leaveHotJournal, makeCacheWal, nobody } from "../../support/area.ts";
import {
  afterReduce,
  doctorAndJob,
  errorCodeOf,
  oldCache,
  openToWrite,
  reduceSafely,
  type Spoil,
} from "../../support/queue.ts";

/** What a job works on all the same; some of it is no sound state, but none of these checks may say so. */
const accepted: Record<string, Spoil> = {
  "a sound area": () => {},
  "an old cache that holds nothing of its own": (area) => oldCache(area),
  "such a cache in WAL mode": (area) => oldCache(area, "PRAGMA journal_mode = WAL"),
  "such a cache, and a journal that a dead writer left": (area) => {
    oldCache(area);
    leaveHotJournal(area);
  },
  "a cache in WAL mode": (area) => makeCacheWal(area),
  "no cache": (area) => rmSync(area.cacheRoot, { recursive: true }),
  "completed-runs.db of an earlier job": afterReduce(() => {}),
};

/** Checks whose fault is always a refusal. */
const refusing =
  /^(caches|cache|one-area|owners|history|area-id|homehost|site-schema|installation|(fence|schema|id-room)\/.*)$/;

describe.runIf(isRoot)("the doctor and a job", () => {
  it.each(Object.entries(accepted))("agree that a job may work on %s", async (_, spoil) => {
    const area = healthyArea();
    await spoil(area);
    const { job, faults } = await doctorAndJob(area);
    expect(faults.map(({ name }) => name).filter((name) => refusing.test(name))).toEqual([]);
    expect([job.code, job.stderr]).toEqual([0, ""]);
  });

  it("agree that a user who is not the owner may do no job here", async () => {
    const area = healthyArea();
    chmodSync(join(area.directory, "../.."), 0o755);
    const { job, faults } = await doctorAndJob(area, { uid: nobody, gid: nobody });
    expect([job.code, errorCodeOf(job)]).toEqual([3, "not-owner"]);
    expect(faults.map(({ name, details }) => [name, details?.code])).toContainEqual(["owners", "not-owner"]);
  });

  it("agree on another host, where it is no fault of the area", async () => {
    const area = healthyArea();
    const { job, checks, faults } = await doctorAndJob(area, { host: "host-b" });
    expect([job.code, errorCodeOf(job), faults]).toEqual([3, "not-home", []]);
    const homehost = checks.find(({ name }) => name === "homehost");
    expect(homehost).toMatchObject({ ok: null, details: { refusal: "not-home" } });
  });

  it("agree while a stop file holds the area, which is no fault of it", async () => {
    const area = healthyArea();
    mkdirSync(join(area.directory, ".mtjobs"));
    writeFileSync(join(area.directory, ".mtjobs/pause"), "");
    const { job, checks, faults } = await doctorAndJob(area);
    expect([job.code, errorCodeOf(job), faults]).toEqual([3, "paused", []]);
    const paused = checks.find(({ name }) => name === "paused");
    expect(paused).toMatchObject({ ok: null, details: { refusal: "paused" } });
  });

  it("agree while another job holds the area, which is no fault of it", async () => {
    const area = healthyArea();
    await reduceSafely(area, { runname: undefined, runId: [1] });
    openToWrite(area.megatestDb, (db) =>
      db
        .prepare("UPDATE mtjobs_fence SET holder = 'host-c/7/7', job_id = 'other', expires_at = ?")
        .run(Date.now() + 50_000),
    );
    const { job, checks, faults } = await doctorAndJob(area);
    expect([job.code, errorCodeOf(job), faults]).toEqual([3, "locked", []]);
    expect(checks.find(({ name }) => name === "lease")).toMatchObject({
      ok: null,
      details: { refusal: "locked" },
    });
  });
});
