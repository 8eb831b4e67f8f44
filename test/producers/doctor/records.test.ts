import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { areaStatus } from "../../../producers/areas/status.ts";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import type { JobsError } from "../../../shared/errors.ts";
import {
  addOrphans,
  addTestIn,
  checkOf,
  diagnoseArea,
  edit,
  everywhere,
  faultsOf,
  filesOf,
  fingerprint,
  giveId,
  healthyArea,
  placeOf,
  settleTimes,
} from "../../support/area.ts";
import { reduceAndKill, reduceSafely, runReduce } from "../../support/queue.ts";

async function reducedArea(): Promise<SampleArea> {
  const area = healthyArea();
  await reduceSafely(area, { runname: undefined, runId: [1, 2] });
  settleTimes(area);
  return area;
}

describe("the doctor on records", () => {
  it("finds nothing wrong before a reduce and after one", async () => {
    const area = healthyArea();
    expect((await diagnoseArea(area)).checks.filter(({ ok }) => ok !== true)).toEqual([]);
    await reduceSafely(area, { runname: undefined, runId: [1, 2] });
    settleTimes(area);
    const diagnosis = await diagnoseArea(area);
    expect(diagnosis.checks.filter(({ ok }) => ok !== true)).toEqual([]);
    expect(diagnosis).toMatchObject({ ok: true, area: area.directory, areaId: expect.any(String) });
  });

  it("finds an id without room above it, and what no completed-runs.db could keep, as a job does", async () => {
    const used = healthyArea();
    giveId(used, "test_steps", 2, 2n ** 63n - 1n);
    const refused = await runReduce(used).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "ids-used-up",
      hint: expect.stringContaining("in megatest.db, the"),
    });
    const found = await diagnoseArea(used);
    for (const name of ["id-room/megatest.db", "id-room/cache/megatest.db", "id-room/cache/megatest_ref.db"])
      expect(checkOf(found, name)).toMatchObject({
        ok: false,
        verdict: expect.stringContaining("table test_steps of "),
        remedy: (refused as JobsError).hint,
        details: { code: "ids-used-up" },
      });
    const site = healthyArea();
    edit(site, everywhere, (db) => {
      db.function("site_fn", { deterministic: true }, (text) => String(text));
      db.exec("CREATE INDEX site_index ON tests (site_fn(testname))");
    });
    const unfit = await runReduce(site).catch((error: unknown) => error);
    expect(unfit).toMatchObject({ code: "unknown-schema" });
    const before = fingerprint(site.directory, site.cacheRoot);
    expect(checkOf(await diagnoseArea(site), "site-schema")).toMatchObject({
      ok: false,
      verdict: (unfit as JobsError).message,
      remedy: (unfit as JobsError).hint,
      details: { code: "unknown-schema" },
    });
    expect(fingerprint(site.directory, site.cacheRoot)).toEqual(before);
  });

  it("says of an id in completed-runs.db that it is that file's row which must get another", async () => {
    const area = await reducedArea();
    const db = new Database(filesOf(area).completedDb);
    db.prepare("UPDATE test_data SET id = ? WHERE id = (SELECT max(id) FROM test_data)").run(2n ** 63n - 1n);
    db.close();
    const refused = await runReduce(area).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "ids-used-up",
      hint: expect.stringContaining("in completed-runs.db"),
    });
    expect(checkOf(await diagnoseArea(area), "id-room/completed-runs.db")).toMatchObject({
      ok: false,
      remedy: (refused as JobsError).hint,
    });
  });

  it("notes what a site added that completed-runs.db will not have", async () => {
    const area = healthyArea();
    edit(area, ["area"], (db) => db.exec("CREATE VIRTUAL TABLE words USING fts5 (word)"));
    expect(checkOf(await diagnoseArea(area), "site-schema")).toMatchObject({
      ok: null,
      verdict: expect.stringContaining("completed-runs.db will not have the virtual table words"),
    });
  });

  it("finds the cache of another area in the place of this one's", async () => {
    const area = healthyArea();
    edit(area, ["cache", "ref"], (db) => db.exec("UPDATE runs SET event_time = event_time - 1"));
    expect(faultsOf(await diagnoseArea(area))).toEqual(["one-area"]);
  });

  it("tells orphans from rows that came late for a moved run", async () => {
    const area = await reducedArea();
    addOrphans(area);
    const orphans = await diagnoseArea(area);
    expect(checkOf(orphans, "orphans/cache/megatest.db")).toMatchObject({
      ok: null,
      details: { orphans: 2, ofMovedRuns: 0 },
    });
    expect(orphans.ok).toBe(true);
    edit(area, ["cache"], (db) => db.exec("DELETE FROM test_steps WHERE test_id = 9876543"));
    expect(checkOf(await diagnoseArea(area), "orphans/cache/megatest.db").verdict).toMatch(
      /^1 row has no run /,
    );
    addTestIn(area, ["area"], 1, "came_late");
    const late = await diagnoseArea(area);
    expect(faultsOf(late)).toEqual(["orphans/megatest.db"]);
    expect(checkOf(late, "orphans/megatest.db")).toMatchObject({
      verdict: "1 late row of moved runs",
      remedy: expect.stringContaining("--repair"),
    });
  });

  it("finds moved runs that were put back", async () => {
    const area = await reducedArea();
    const { completedDb } = filesOf(area);
    const db = new Database(area.megatestDb);
    db.prepare("ATTACH ? AS done").run(completedDb);
    db.exec("INSERT INTO runs SELECT * FROM done.runs WHERE id = 2");
    db.close();
    settleTimes(area);
    const diagnosis = await diagnoseArea(area);
    expect(faultsOf(diagnosis)).toEqual(["in-both/megatest.db"]);
    expect(checkOf(diagnosis, "in-both/megatest.db")).toMatchObject({
      verdict: expect.stringMatching(/^1 moved run is here as well/),
      details: { runs: 1 },
    });
  });

  it("finds ids that were handed out again, and names under two ids", async () => {
    const area = await reducedArea();
    edit(area, everywhere, (db) =>
      db.exec("INSERT INTO runs (id, runname, state) VALUES (1, 'anew', 'NEW')"),
    );
    const clashing = await diagnoseArea(area);
    expect(faultsOf(clashing)).toEqual(["ids/megatest.db", "ids/cache/megatest.db"]);
    expect(checkOf(clashing, "ids/megatest.db").details).toMatchObject({ clashes: { runs: 1, tests: 0 } });

    const other = await reducedArea();
    const db = new Database(other.megatestDb);
    db.prepare("ATTACH ? AS done").run(filesOf(other).completedDb);
    db.exec("CREATE TEMP TABLE again AS SELECT * FROM done.runs WHERE id = 2; UPDATE again SET id = 900");
    db.exec("INSERT INTO runs SELECT * FROM again");
    db.close();
    settleTimes(other);
    expect(checkOf(await diagnoseArea(other), "ids/megatest.db")).toMatchObject({
      ok: null,
      verdict: expect.stringMatching(/^1 run has the target and name/),
      details: { namesTwice: 1 },
    });
  });

  it("names what a killed job left, by state, and any state that it does not know", async () => {
    const area = healthyArea();
    expect(await reduceAndKill(area, "removed-from-ref", 1)).toBe("SIGKILL");
    const db = new Database(filesOf(area).completedDb);
    db.pragma("ignore_check_constraints = ON");
    db.exec("UPDATE mtjobs_runs SET state = 'restoring' WHERE run_id = 4");
    db.close();
    const diagnosis = await diagnoseArea(area);
    expect(faultsOf(diagnosis)).toEqual(expect.arrayContaining(["lease", "half-moved"]));
    expect(checkOf(diagnosis, "half-moved")).toMatchObject({
      verdict: "a job died: 3 runs removing, 1 run restoring",
      details: { removing: 3, restoring: 1 },
    });
  });

  it("tells of a fence with odd values what is wrong with it, and so does status", async () => {
    const area = await reducedArea();
    const set = (values: string) =>
      edit(area, ["area"], (db) => db.exec(`UPDATE mtjobs_fence SET ${values}`));
    set("holder = 'host-x/1/0', job_id = 'j', renewed_at = 9e18, acquired_at = 'then', expires_at = 7");
    expect(checkOf(await diagnoseArea(area), "lease")).toMatchObject({
      verdict: expect.stringMatching(/^host-x\/1\/0 for j died while working, last seen /),
    });
    set("expires_at = 'never'");
    expect(checkOf(await diagnoseArea(area), "lease")).toMatchObject({
      ok: false,
      verdict: "the lease of host-x/1/0 for j ends at an invalid time",
      remedy: expect.stringContaining("to end the lease"),
    });
    set(`expires_at = ${Date.now() + 60_000}`);
    const status = await areaStatus(area.directory, placeOf(area));
    expect(status).toMatchObject({ lease: { since: "1970-01-01T00:00:00.000Z" }, problems: [] });
    set("holder = NULL, token = 9007199254740993");
    expect(checkOf(await diagnoseArea(area), "fence/megatest.db")).toMatchObject({
      ok: false,
      verdict: expect.stringContaining("the token 9007199254740993 in table mtjobs_fence of "),
      remedy: expect.stringContaining("sqlite3 "),
    });
  });

  it("says of a lease whose holder lives that a job is at work, which is no fault", async () => {
    const area = await reducedArea();
    edit(area, ["area"], (db) =>
      db
        .prepare("UPDATE mtjobs_fence SET holder = 'host-x/1/0', job_id = 'j', expires_at = ?")
        .run(Date.now() + 60_000),
    );
    const diagnosis = await diagnoseArea(area);
    expect(checkOf(diagnosis, "lease")).toMatchObject({
      ok: null,
      verdict: "a job is running: host-x/1/0 for j",
    });
    expect(checkOf(diagnosis, "integrity/completed-runs.db")).toMatchObject({ ok: null });
    expect(diagnosis.ok).toBe(true);
    edit(area, ["area"], (db) => db.exec("UPDATE mtjobs_fence SET expires_at = 7"));
    expect(faultsOf(await diagnoseArea(area))).toEqual(["lease"]);
  });
});
