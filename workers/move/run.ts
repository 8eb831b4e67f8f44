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

/** Why a run stays whose time is not in seconds. @param what which one, and its value @param remedy what to do */
export function oddTimeText({ id, target, runname }: Run, what: string, remedy: string): string {
  return `run ${id} (${target}/${runname}) stays: ${what}, which is no time in seconds; ${remedy}`;
}

/** For a run of megatest.db. */
export const writeSeconds = "write seconds since 1970 into that row to have the run move";
