import type { MovedRun } from "../../shared/result.ts";
import { shownId } from "../../shared/run-id.ts";

/** A run as the engine handles it; results show it as `labelOf` says. */
export interface Run {
  id: bigint;
  /** Key values joined by `/`. */
  target: string;
  runname: string;
  /** See `MovedRun`. */
  previousId?: bigint;
}

/** What results say of a run. */
export function labelOf({ id, target, runname, previousId }: Run): MovedRun {
  const label = { id: shownId(id), target, runname };
  return previousId === undefined ? label : { ...label, previousId: shownId(previousId) };
}

/** The run that `labelOf` made this of. */
export function runOf({ id, target, runname, previousId }: MovedRun): Run {
  const run = { id: BigInt(id), target, runname };
  return previousId === undefined ? run : { ...run, previousId: BigInt(previousId) };
}
