import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { newArea } from "../area/temp-area.ts";
import { runReduce } from "./run-reduce.ts";

/** A small area whose databases agree in what the sync carries. */
export const atRest = { runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4 };

/** Builds such an area with all its runs in completed-runs.db. */
export async function reducedArea(): Promise<SampleArea> {
  const area = newArea(atRest);
  await runReduce(area);
  return area;
}

export const run2 = { runname: undefined, runId: [2] };
