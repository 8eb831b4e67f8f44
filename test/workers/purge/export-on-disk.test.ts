import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { exportsIn, movedRows, newArea, temporaryDirectory } from "../../support/area.ts";
import { atRest, builtCommand, canTrace, runReduce } from "../../support/queue.ts";

/** Purges until the run is exported, and dies before it is purged. Returns the files and directories that it synced. */
function syncedByPurge({ directory, host, user, cacheRoot }: SampleArea, exports: string): string[] {
  const trace = join(temporaryDirectory(), "trace");
  const purge = ["purge", directory, "--run-id", "1", "--export", exports, "--inline"];
  spawnSync(
    "strace",
    [
      ...["-f", "-y", "-qq", "-o", trace, "-e", "trace=fsync,fdatasync"],
      process.execPath,
      builtCommand,
      ...purge,
    ],
    {
      env: {
        PATH: process.env.PATH,
        MTJOBS_HOST: host,
        MTJOBS_USER: user,
        MTJOBS_CACHE_ROOT: cacheRoot,
        MTJOBS_FAILPOINT: "exported=kill",
      },
    },
  );
  return [...readFileSync(trace, "utf8").matchAll(/sync\(\d+<([^>]*)>/g)].map(([, path]) => path ?? "");
}

it.runIf(canTrace())(
  "an export is on disk before its run is purged, also if it was there already",
  async () => {
    const area = newArea({ ...atRest, runs: 1 });
    await runReduce(area);
    const rows = movedRows(area);
    const exports = temporaryDirectory();
    expect(syncedByPurge(area, exports)).toContain(exports);
    const [file = ""] = exportsIn(exports);
    const synced = syncedByPurge(area, exports);
    expect(synced.indexOf(file)).toBeGreaterThanOrEqual(0);
    expect(synced.indexOf(exports)).toBeGreaterThan(synced.indexOf(file));
    expect(exportsIn(exports)).toEqual([file]);
    expect(movedRows(area)).toEqual(rows);
  },
);
