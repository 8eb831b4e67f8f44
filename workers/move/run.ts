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
  /** See `MovedRun`. */
  previousRunname?: string;
}

/** What results say of a run. */
export function labelOf({ id, target, runname, previousId, previousRunname }: Run): MovedRun {
  return {
    ...{ id: shownId(id), target, runname },
    ...(previousId === undefined ? {} : { previousId: shownId(previousId) }),
    ...(previousRunname === undefined ? {} : { previousRunname }),
  };
}

/** The run that `labelOf` made this of. */
export function runOf({ id, target, runname, previousId, previousRunname }: MovedRun): Run {
  return {
    ...{ id: BigInt(id), target, runname },
    ...(previousId === undefined ? {} : { previousId: BigInt(previousId) }),
    ...(previousRunname === undefined ? {} : { previousRunname }),
  };
}
