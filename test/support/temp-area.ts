import { join } from "node:path";
import { buildArea, type SampleArea, type SampleAreaOptions } from "../../shared/sample-area/build-area.ts";
import type { AreaFiles } from "./oracle/records.ts";
import { temporaryDirectory } from "./temp-directory.ts";

/** A small area in a temporary directory of its own, with its cache beside it; 12 runs of 10 tests unless said otherwise. */
export function buildTempArea(options: Partial<SampleAreaOptions> = {}): SampleArea {
  const root = temporaryDirectory();
  return buildArea({
    directory: join(root, "areas", "a1"),
    cacheRoot: join(root, "cache"),
    user: "ann",
    host: "host-a",
    runs: 12,
    testsPerRun: 10,
    ...options,
  });
}

/** The files of an area as the comparer takes them, completed-runs.db with them. */
export function filesOf(area: SampleArea): AreaFiles & { completedDb: string } {
  return {
    megatestDb: area.megatestDb,
    cacheDb: area.cacheDb,
    refDb: area.refDb,
    completedDb: join(area.directory, "completed-runs.db"),
  };
}
