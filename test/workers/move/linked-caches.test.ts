import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  addSecondCache,
  checkOf,
  diagnoseArea,
  fingerprint,
  isRoot,
  newArea,
  nobody,
} from "../../support/area.ts";
import { reduceSafely, runReduce } from "../../support/queue.ts";

/** An area that every user may write to, and a recent cache of `nobody` that is partly on another disk, behind a link. */
function areaWithLinked(linkedPath: (second: { cacheDirectory: string }) => string) {
  const area = newArea({ runs: 4, testsPerRun: 2, unsynced: false, inFlight: 0 });
  chmodSync(area.megatestDb, 0o666);
  const second = addSecondCache(area, "nobody");
  const linked = linkedPath(second);
  give(join(area.cacheRoot, "nobody"));
  const disk = join(dirname(area.directory), "disk");
  mkdirSync(disk);
  const behind = join(disk, basename(linked));
  renameSync(linked, behind);
  symlinkSync(behind, linked);
  lchownSync(linked, nobody, nobody);
  return { area, second, linked };
}

function give(path: string): void {
  chownSync(path, nobody, nobody);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) give(join(path, name));
}

const databases = (second: { cacheDirectory: string }) => dirname(dirname(second.cacheDirectory));

const linkedPaths: [string, (second: { cacheDirectory: string }) => string][] = [
  ["megatest_localdb", databases],
  ["the directory of the area's name", ({ cacheDirectory }) => dirname(cacheDirectory)],
  ["the cache's own directory", ({ cacheDirectory }) => cacheDirectory],
  ["the database", ({ cacheDirectory }) => join(cacheDirectory, "megatest.db")],
];

const all = ({ directory, cacheRoot }: SampleArea) => fingerprint(dirname(directory), cacheRoot);

describe.runIf(isRoot)("another user's cache behind a link", () => {
  it.each(linkedPaths)(
    "counts where %s is the link, to a job and to the doctor, which follow it to look alone",
    async (_, linkedPath) => {
      const { area, second } = areaWithLinked(linkedPath);
      const before = all(area);
      for (const dryRun of [true, false])
        await expect(runReduce(area, { dryRun })).rejects.toMatchObject({
          code: "several-caches",
          message: expect.stringContaining(second.cacheDirectory),
        });
      expect(checkOf(await diagnoseArea(area), "caches").ok).toBe(false);
      expect(all(area)).toEqual(before);
    },
  );

  it("is none that leads to the one a job works on", async () => {
    const { area } = areaWithLinked(databases);
    const other = join(area.cacheRoot, "nobody/megatest_localdb");
    renameSync(other, join(area.cacheRoot, "aside"));
    symlinkSync(dirname(dirname(area.cacheDirectory)), other);
    expect(checkOf(await diagnoseArea(area), "caches").ok).toBe(true);
    expect((await reduceSafely(area)).result.moved.runs).toBe(4);
  });
});
