import { commitLosers } from "../move/copy.ts";
import type { Move } from "../move/move.ts";

/** Commits the versions in `temp.losers` to what is kept in completed-runs.db: before what they stood for is overwritten. */
export function recordKept(move: Move): Promise<void> {
  return commitLosers(move);
}
