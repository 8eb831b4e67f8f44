import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildArea, type SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  addSecondCache,
  checkOf,
  diagnoseArea,
  edit,
  everywhere,
  faultsOf,
  isRoot,
  newArea,
  settleTimes,
} from "../../support/area.ts";
import { reduceSafely, runReduce } from "../../support/queue.ts";

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
