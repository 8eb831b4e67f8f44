import { mkdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { cacheDirectoryOf } from "../../producers/demo/sample-area/area-files.ts";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { completedColumn, fingerprint, newArea, readColumn } from "../support/area.ts";
import { mayMount, mount, reduceSafely, runReduce, runRestore, unmount } from "../support/queue.ts";

/** The area as it is where it is mounted at a second path too: Megatest names caches after the path it was started with. */
function mountAgain(area: SampleArea): SampleArea {
  const directory = join(dirname(dirname(area.directory)), "net", "a1");
  mkdirSync(directory, { recursive: true });
  expect(mount("--bind", area.directory, directory)).toBe(0);
  onTestFinished(() => unmount(directory));
  return { ...area, directory };
}

const tokenOf = (area: SampleArea) =>
  Number(readColumn(area.megatestDb, "SELECT token FROM mtjobs_fence")[0]);

const fourRuns = { runs: 4, testsPerRun: 3, inFlight: 0, unsynced: false };

describe.runIf(mayMount())("an area that is mounted at two paths", () => {
  it("is refused by the path whose cache is not in use, which is named, and nothing changes", async () => {
    const area = newArea(fourRuns);
    const other = mountAgain(area);
    const before = fingerprint(area.directory, area.cacheRoot);
    await expect(runReduce(other)).rejects.toMatchObject({
      code: "several-caches",
      message: expect.stringContaining(area.cacheDirectory),
    });
    expect(fingerprint(area.directory, area.cacheRoot)).toEqual(before);
  });

  it("is reduced by one path and restored by the other, once the cache is that one's", async () => {
    const area = newArea(fourRuns);
    const other = mountAgain(area);
    await reduceSafely(area);
    const cacheDirectory = cacheDirectoryOf(other);
    renameSync(area.cacheDirectory, cacheDirectory);
    const { result } = await runRestore(other);
    expect(result).toMatchObject({ state: "completed", moved: { runs: 4 } });
    expect(completedColumn(area, "SELECT count(*) FROM runs")).toEqual([0]);
    await expect(runReduce(area)).rejects.toMatchObject({ code: "several-caches" });
  });

  it("has one id and one token, whatever the path", async () => {
    const area = newArea(fourRuns);
    const other = mountAgain(area);
    const first = await runReduce(area, { runname: undefined, runId: [1] });
    const token = tokenOf(area);
    renameSync(area.cacheDirectory, cacheDirectoryOf(other));
    const second = await runReduce(other, { runname: undefined, runId: [2] });
    expect(first.result.areaId).toMatch(/^[0-9a-f-]{36}$/);
    expect(second.result.areaId).toBe(first.result.areaId);
    expect(tokenOf(area)).toBe(token + 1);
  });
});
