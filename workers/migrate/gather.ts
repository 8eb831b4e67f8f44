import { settleAll } from "../move/bring-together.ts";
import type { Move } from "../move/move.ts";

/**
 * Before the pair is closed: what cache and megatest.db do not share is settled in both directions, also where no refill
 * is due. Returns the number of rows. Without a cache there is nothing to settle.
 *
 * @param beforeCommit renews the cache's modification time
 */
export async function gather(move: Move, beforeCommit: () => void): Promise<number> {
  return move.fresh === "cache" ? await settleAll(move, "both", beforeCommit) : 0;
}

/**
 * The same once the cache is closed, for what a client wrote until then: from the cache to megatest.db and the ref alone.
 * What megatest.db has newer, which nobody can have brought there but by hand, waits for the next job on the area.
 */
export async function gatherLate(move: Move, beforeCommit: () => void): Promise<number> {
  return move.fresh === "cache" ? await settleAll(move, "from-cache", beforeCommit) : 0;
}
