import { join } from "node:path";
import {
  buildArea,
  type SampleArea,
  type SampleAreaOptions,
} from "../../../producers/demo/sample-area/build-area.ts";
import type { Trio } from "../megatest/copy-changes.ts";
import type { AreaFiles } from "../oracle/records.ts";
import { carryLastUpdate } from "./carry-last-update.ts";
import { temporaryDirectory } from "./temp-directory.ts";

export interface TempAreaOptions extends SampleAreaOptions {
  /** The area's Megatest carries `last_update` in its sync; default false. */
  syncsLastUpdate: boolean;
}

/** Builds a small area in a temporary directory, with its cache beside it; default: 12 runs of 10 tests. */
export function newArea({
  syncsLastUpdate = false,
  ...options
}: Partial<TempAreaOptions> = {}): SampleArea & Pick<Trio, "syncsLastUpdate"> {
  const root = temporaryDirectory();
  const area = buildArea({
    directory: join(root, "areas", "a1"),
    cacheRoot: join(root, "cache"),
    user: "ann",
    host: "host-a",
    runs: 12,
    testsPerRun: 10,
    ...options,
  });
  if (!syncsLastUpdate) return area;
  carryLastUpdate(area);
  return { ...area, syncsLastUpdate };
}

/** Returns an area's files in the comparer's form, including completed-runs.db. */
export function filesOf(area: SampleArea): AreaFiles & { completedDb: string } {
  return {
    megatestDb: area.megatestDb,
    cacheDb: area.cacheDb,
    refDb: area.refDb,
    completedDb: join(area.directory, "completed-runs.db"),
  };
}
