import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildArea, type SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  addSecondCache,
  checkOf,
  cleanUp,
  diagnoseArea,
  edit,
  everywhere,
  faultsOf,
  isRoot,
  newArea,
  settleTimes,
  temporaryDirectory,
} from "../../support/area.ts";
import { reduceSafely, runPurge, runReduce } from "../../support/queue.ts";

/** Another user's, who is this process's: the tests run as one user. */
const other = "root";

/** A quiet area of ann's, and one that was beside it, of which root's cache alone is left. */
function areaBesideDeleted(path: string): { area: SampleArea; left: SampleArea } {
  const area = newArea({ runs: 6, testsPerRun: 2, unsynced: false, inFlight: 0 });
  const left = buildArea({
    directory: join(dirname(area.directory), path),
    cacheRoot: area.cacheRoot,
    user: other,
    host: area.host,
    runs: 9,
    testsPerRun: 2,
    seed: 2,
    days: 31,
  });
  rmSync(left.directory, { recursive: true });
  return { area, left };
}

const recently = ({ cacheDirectory }: Pick<SampleArea, "cacheDirectory">, agoSeconds: number) => {
  const at = Date.now() / 1000 - agoSeconds;
  for (const name of readdirSync(cacheDirectory)) utimesSync(join(cacheDirectory, name), at, at);
};

describe.runIf(isRoot)("the cache of an area that was deleted", () => {
  it.each([
    ["a minute ago", 60],
    ["two days ago", 2 * 86_400],
  ])("and last changed %s holds no job up, and the doctor says the same", async (_when, ago) => {
    const { area, left } = areaBesideDeleted("b1");
    recently(left, ago);
    const check = checkOf(await diagnoseArea(area), "caches");
    expect(check.ok).toBe(true);
    expect(check.verdict).toContain(left.cacheDirectory);
    expect(check.verdict).toContain("contains no run of this area");
    expect((await runReduce(area, { dryRun: true })).result.moved.runs).toBe(6);
    expect((await reduceSafely(area)).result.moved.runs).toBe(6);
  });

  it("that stood at this one's path holds no job up, either", async () => {
    const { area, left } = areaBesideDeleted("b1");
    const second = addSecondCache(area, other);
    rmSync(second.cacheDirectory, { recursive: true });
    cpSync(left.cacheDirectory, second.cacheDirectory, { recursive: true, preserveTimestamps: true });
    expect(faultsOf(await diagnoseArea(area))).toEqual([]);
    expect((await reduceSafely(area)).result.moved.runs).toBe(6);
  });

  it("holds no job up where this area has no run yet", async () => {
    const { area } = areaBesideDeleted("b1");
    edit(area, everywhere, (db) => db.exec("DELETE FROM runs; DELETE FROM tests"));
    expect(faultsOf(await diagnoseArea(area))).toEqual([]);
    expect((await runReduce(area)).result.moved.runs).toBe(0);
  });
});

describe.runIf(isRoot)("a cache by a path that is not to be seen on this host", () => {
  it("counts where it has a run of this area, for another mount may lead there: job and doctor say so", async () => {
    const area = newArea({ runs: 4, unsynced: false, inFlight: 0 });
    const second = addSecondCache(area, other);
    const alias = join(dirname(second.cacheDirectory), ".mnt.gone.a1");
    renameSync(second.cacheDirectory, alias);
    for (const act of [() => runReduce(area), () => runReduce(area, { dryRun: true })])
      await expect(act()).rejects.toMatchObject({
        code: "several-caches",
        message: expect.stringContaining(alias),
      });
    expect(checkOf(await diagnoseArea(area), "caches")).toMatchObject({
      ok: false,
      verdict: expect.stringContaining("changed within a day"),
    });
  });

  it("counts where all its runs have moved from megatest.db, as it would put them back", async () => {
    const area = newArea({ runs: 4, unsynced: false, inFlight: 0 });
    const second = addSecondCache(area, other);
    const aside = join(area.cacheRoot, "aside");
    renameSync(second.cacheDirectory, aside);
    await reduceSafely(area);
    const alias = join(dirname(second.cacheDirectory), ".mnt.gone.a1");
    mkdirSync(dirname(alias), { recursive: true });
    renameSync(aside, alias);
    settleTimes(area);
    await expect(runReduce(area)).rejects.toMatchObject({ code: "several-caches" });
    expect(faultsOf(await diagnoseArea(area))).toEqual(["caches"]);
  });
});

describe.runIf(isRoot)("another user's old cache with rows that megatest.db lacks", () => {
  it("is a fault to the doctor as it is to a job", async () => {
    const area = newArea({ runs: 4, inFlight: 0 });
    const second = addSecondCache(area, other);
    recently(second, 2 * 86_400);
    await expect(runReduce(area)).rejects.toMatchObject({ code: "several-caches" });
    expect(checkOf(await diagnoseArea(area), "caches")).toMatchObject({
      ok: false,
      verdict: expect.stringContaining("holds rows that megatest.db lacks"),
    });
  });
});

describe.runIf(isRoot)("another user's old and synced cache holds no job up, nor the doctor,", () => {
  /** A quiet area, and a cache of another user who looked at it once. */
  function areaSeenOnce() {
    const area = newArea({ runs: 4, testsPerRun: 2, unsynced: false, inFlight: 0 });
    const second = { ...area, ...addSecondCache(area, other) };
    recently(second, 2 * 86_400);
    return { area, second };
  }

  async function expectUnhindered(area: SampleArea, second: Pick<SampleArea, "cacheDirectory">) {
    // Its files have another time of change, so it is read again, as by another process.
    recently(second, 2 * 86_400);
    expect(faultsOf(await diagnoseArea(area))).toEqual([]);
    for (const dryRun of [true, false]) expect((await runReduce(area, { dryRun })).result.moved.runs).toBe(1);
  }

  it("once a run in it was purged", async () => {
    const { area, second } = areaSeenOnce();
    await runReduce(area, { runname: undefined, runId: [1, 2, 3] });
    await runPurge(area, { export: temporaryDirectory(), runname: undefined, runId: [1] });
    await expectUnhindered(area, second);
  });

  it("once runs in it were deleted and Megatest cleaned up", async () => {
    const { area, second } = areaSeenOnce();
    edit(area, everywhere, (db) => db.exec("UPDATE runs SET state = 'deleted' WHERE id < 4"));
    cleanUp([area.cacheDb, area.refDb, area.megatestDb]);
    settleTimes(area);
    await expectUnhindered(area, second);
  });

  it("whose sync sets the time of the last update itself", async () => {
    const { area, second } = areaSeenOnce();
    edit(second, ["ref"], (db) => db.exec("UPDATE tests SET last_update = 5"));
    recently(second, 2 * 86_400);
    await runReduce(area, { runname: undefined, runId: [1, 2, 3] });
    await runPurge(area, { export: temporaryDirectory(), runname: undefined, runId: [1] });
    await expectUnhindered(area, second);
  });
});

describe.runIf(isRoot)("another user's old cache counts", () => {
  it("for a row of a purged run that it changed since it synced it, also to a process that knew it before", async () => {
    const area = newArea({ runs: 4, testsPerRun: 2, unsynced: false, inFlight: 0 });
    const second = { ...area, ...addSecondCache(area, other) };
    edit(second, ["cache"], (db) => db.exec("UPDATE tests SET comment = 'unsynced' WHERE run_id = 1"));
    recently(second, 2 * 86_400);
    await runReduce(area, { runname: undefined, runId: [1] });
    await runPurge(area, { export: temporaryDirectory(), runname: undefined, runId: [1] });
    await expect(runReduce(area)).rejects.toMatchObject({ code: "several-caches" });
    expect(faultsOf(await diagnoseArea(area))).toEqual(["caches"]);
  });

  it.each([
    ["of another area", "UPDATE runs SET runname = 'of another ' || runname"],
    ["that lacks a column", "ALTER TABLE test_steps DROP COLUMN comment"],
  ])("for a row that megatest.db lacks, if its ref has that row too but is one %s", async (_, sql) => {
    const area = newArea({ runs: 4, testsPerRun: 2, unsynced: false, inFlight: 0 });
    const second = { ...area, ...addSecondCache(area, other) };
    const row = "INSERT INTO test_steps (id, test_id, stepname, state) VALUES (99999, 1, 'unseen', 'end')";
    edit(second, ["cache", "ref"], (db) => db.exec(row));
    edit(second, ["ref"], (db) => db.exec(sql));
    recently(second, 2 * 86_400);
    await expect(runReduce(area)).rejects.toMatchObject({ code: "several-caches" });
  });
});
