import { settleAll } from "../move/bring-together.ts";
import type { Move } from "../move/move.ts";

/**
 * Reconciles cache and megatest.db in both directions before the pair is closed. Returns the number of rows.
 *
 * @param beforeCommit renews the cache's modification time
 */
export async function gather(move: Move, beforeCommit: () => void): Promise<number> {
  return move.fresh === "cache" ? await settleAll(move, "both", beforeCommit) : 0;
}

/**
 * Reconciles again after closing, from the cache only, what clients wrote until then. Newer rows of megatest.db,
 * which only a manual edit causes, wait for the next job.
 */
export async function gatherLate(move: Move, beforeCommit: () => void): Promise<number> {
  return move.fresh === "cache" ? await settleAll(move, "from-cache", beforeCommit) : 0;
}
