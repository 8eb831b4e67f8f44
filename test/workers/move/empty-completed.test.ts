import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { areaStatus } from "../../../producers/areas/status.ts";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../shared/area/area.ts";
import { prepareArea } from "../../../workers/area-db/open-area.ts";
import {
  assertNothingLost,
  checkOf,
  completedColumn,
  diagnoseArea,
  edit,
  faultsOf,
  filesOf,
  fingerprint,
  newArea,
  placeOf,
  readColumn,
  settleTimes,
} from "../../support/area.ts";
import { reduceSafely, runReduce, runRepair, runRestore, unionOf } from "../../support/queue.ts";

const small = () => newArea({ runs: 4, inFlight: 0, unsynced: false, testsPerRun: 3 });

const prepare = (area: SampleArea) =>
  prepareArea({
    area: openArea(area.directory),
    files: {
      area: area.megatestDb,
      cache: area.cacheDb,
      ref: area.refDb,
      completed: filesOf(area).completedDb,
    },
  });

describe("completed-runs.db", () => {
  it("has its tables from the instant that it is there: a failure before that leaves no file of that name", () => {
    const area = small();
    const { completedDb } = filesOf(area);
    const failing = small();
    // Told of before anything is made; here it stands for whatever may fail in between.
    edit(failing, ["area"], (db) => {
      db.function("site_fn", { deterministic: true }, (text) => String(text));
      db.exec("CREATE INDEX site_index ON tests (site_fn(testname))");
    });
    expect(() => prepare(failing)).toThrow("site_fn");
    expect(existsSync(filesOf(failing).completedDb)).toBe(false);
    prepare(area);
    expect(completedColumn(area, "SELECT count(*) FROM mtjobs_runs")).toEqual([0]);
    expect(completedColumn(area, "PRAGMA journal_mode")).toEqual(["delete"]);
    expect(statSync(completedDb).mode & 0o777).toBe(statSync(area.megatestDb).mode & 0o777);
    for (const { directory } of [area, failing])
      expect(readdirSync(directory).filter((name) => name.startsWith(".mtjobs-new-"))).toEqual([]);
    const made = statSync(completedDb);
    prepare(area);
    expect(statSync(completedDb)).toMatchObject({ ino: made.ino, mtimeMs: made.mtimeMs });
  });

  it("of 0 bytes, as an earlier version may have left it, is told of as such, shown as none, and filled by the next job", async () => {
    const area = small();
    const { completedDb } = filesOf(area);
    writeFileSync(completedDb, "");
    settleTimes(area);
    const before = unionOf(area);
    const found = await diagnoseArea(area);
    expect(faultsOf(found)).toEqual([]);
    expect(checkOf(found, "schema/completed-runs.db")).toMatchObject({
      ok: null,
      verdict: "it is empty: a job ended before it had created the tables, and no run has moved yet",
      remedy: "none needed: the next job fills it",
    });
    const status = await areaStatus(area.directory, placeOf(area));
    expect(status).toMatchObject({ completedRuns: 0, problems: [] });
    const dry = await runReduce(area, { dryRun: true });
    expect([dry.result.moved.runs, statSync(completedDb).size]).toEqual([4, 0]);
    expect((await runReduce(area)).result.moved.runs).toBe(4);
    assertNothingLost(before, unionOf(area));
  });

  it.each(["missing", "empty"])(
    "that is %s where it was not keeps every job out until it is put back",
    async (how) => {
      const area = small();
      const { before } = await reduceSafely(area, { runname: undefined, runId: [1, 2] });
      const { completedDb } = filesOf(area);
      const backup = readFileSync(completedDb);
      if (how === "missing") rmSync(completedDb);
      else writeFileSync(completedDb, "");
      settleTimes(area);
      const untouched = fingerprint(area.directory, area.cacheRoot);
      const refused = {
        code: "conflict",
        message: expect.stringContaining(
          `${completedDb} is ${how}, but megatest.db shows that it was in use`,
        ),
        hint: expect.stringContaining("restore it from a backup"),
      };
      await expect(runReduce(area)).rejects.toMatchObject(refused);
      await expect(runReduce(area, { dryRun: true })).rejects.toMatchObject(refused);
      await expect(runRestore(area)).rejects.toMatchObject(refused);
      await expect(runRepair(area)).rejects.toMatchObject(refused);
      expect(checkOf(await diagnoseArea(area), "schema/completed-runs.db")).toMatchObject({
        ok: false,
        verdict: expect.stringContaining(`is ${how}, but megatest.db shows that it was in use`),
      });
      const status = await areaStatus(area.directory, placeOf(area));
      expect([status.completedRuns, status.problems]).toEqual([null, [expect.stringContaining(`is ${how}`)]]);
      expect(fingerprint(area.directory, area.cacheRoot)).toEqual(untouched);
      writeFileSync(completedDb, backup);
      settleTimes(area);
      expect((await runRestore(area)).result.moved.runs).toBe(2);
      assertNothingLost(before, unionOf(area));
    },
  );

  it("that is lost for good is begun anew where somebody has made one without runs", async () => {
    const area = small();
    await reduceSafely(area, { runname: undefined, runId: [1, 2] });
    const { completedDb } = filesOf(area);
    rmSync(completedDb);
    const schema = readColumn(
      area.megatestDb,
      "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid",
    );
    const made = new Database(completedDb);
    for (const sql of schema) made.exec(String(sql));
    made.close();
    settleTimes(area);
    expect((await runReduce(area)).result.moved.runs).toBe(2);
    expect((await runRestore(area)).result.moved.runs).toBe(2);
    expect(faultsOf(await diagnoseArea(area))).toEqual([]);
  });

  it("whose creation was killed before it had its name is reported by the doctor, once no job can be creating it", async () => {
    const area = small();
    await runReduce(area, { runname: "none" });
    const left = join(area.directory, ".mtjobs-new-4f1c");
    copyFileSync(filesOf(area).completedDb, left);
    const leftFiles = async () => checkOf(await diagnoseArea(area), "left-files");
    expect(await leftFiles()).toMatchObject({ ok: true });
    // As on a file server whose clock is ahead.
    const future = Date.now() / 1000 + 300;
    utimesSync(left, future, future);
    expect(await leftFiles()).toMatchObject({ ok: true });
    utimesSync(left, 1, 1);
    expect(await leftFiles()).toMatchObject({
      ok: null,
      verdict: `a dead job left ${left}`,
      remedy: "delete them: nothing reads them",
    });
  });
});
