import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheDirectoryOf } from "../../producers/demo/sample-area/area-files.ts";
import { buildArea, type SampleArea } from "../../producers/demo/sample-area/build-area.ts";

/** Days over which the runs of a bench area spread; the oldest nine tenths are moved. */
export const days = 100;

/** Builds an area of `runs` × 100 tests × 6 steps × 5 data with a cache pair beside it. */
export function benchArea(directory: string, runs: number): SampleArea {
  return buildArea({
    directory: join(directory, "areas", "bench"),
    cacheRoot: join(directory, "tmp"),
    user: "bench",
    host: "bench-host",
    runs,
    testsPerRun: 100,
    stepsPerTest: 6,
    dataPerTest: 5,
    days,
  });
}

/** A second area with the same rows, so that both sides of a comparison begin alike. */
export function copyArea(from: SampleArea, directory: string): SampleArea {
  const area = join(directory, "areas", "bench");
  cpSync(from.directory, area, { recursive: true });
  const options = { ...from, directory: area, cacheRoot: join(directory, "tmp") };
  const cacheDirectory = cacheDirectoryOf(options);
  mkdirSync(dirname(cacheDirectory), { recursive: true });
  cpSync(from.cacheDirectory, cacheDirectory, { recursive: true });
  return {
    ...options,
    megatestDb: join(area, "megatest.db"),
    cacheDirectory,
    cacheDb: join(cacheDirectory, "megatest.db"),
    refDb: join(cacheDirectory, "megatest_ref.db"),
  };
}

/** Puts the three databases of `from` back into `to`, as they were when `from` was built. */
export function resetArea(from: SampleArea, to: SampleArea): void {
  for (const name of ["megatestDb", "cacheDb", "refDb"] as const) {
    rmSync(to[name]);
    copyFileSync(from[name], to[name]);
  }
  const completed = join(to.directory, "completed-runs.db");
  if (existsSync(completed)) rmSync(completed);
  // What was copied must not be written back to disk at the expense of what is measured next.
  execFileSync("sync");
}
