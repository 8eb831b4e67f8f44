import type { MovedRun } from "../../shared/contract/move-result.ts";
import { defined } from "../../shared/defined.ts";
import { shownId } from "../../shared/sqlite/run-id.ts";

/** A run inside the engine; see `labelOf` for results. */
export interface Run {
  id: bigint;
  /** Key values joined by `/`. */
  target: string;
  runname: string;
  /** See `MovedRun`. */
  previousId?: bigint | undefined;
  /** See `MovedRun`. */
  previousRunname?: string | undefined;
  /** See `MovedRun`. */
  exportFile?: string | undefined;
}

/** Returns a run as results show it. */
export function labelOf({ id, target, runname, previousId, previousRunname, exportFile }: Run): MovedRun {
  const previous = previousId === undefined ? undefined : shownId(previousId);
  return defined({ id: shownId(id), target, runname, previousId: previous, previousRunname, exportFile });
}

/** Returns the run that `labelOf` was given. */
export function runOf({ id, previousId, ...names }: MovedRun): Run {
  const previous = previousId === undefined ? undefined : BigInt(previousId);
  return { ...names, id: BigInt(id), previousId: previous };
}

/** Tells why a run stays whose time is not in seconds. @param what the time and its value @param remedy what to do */
export function oddTimeText({ id, target, runname }: Run, what: string, remedy: string): string {
  return `run ${id} (${target}/${runname}) stays: ${what}, which is not a time in seconds; ${remedy}`;
}

/** For a run of megatest.db. */
export const writeSeconds = "write seconds since 1970 into that row to move the run";
