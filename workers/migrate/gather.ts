import type { AreaSession } from "../area-db/area-session.ts";
import { settleAll } from "../move/bring-together.ts";

/**
 * Reconciles cache and megatest.db in both directions before the pair is closed. Returns the number of rows.
 */
export async function gather(session: AreaSession): Promise<number> {
  return session.fresh === "cache" ? await settleAll(session, "both") : 0;
}

/**
 * Reconciles again after closing, from the cache only, what clients wrote until then. Newer rows of megatest.db,
 * which only a manual edit causes, wait for the next job.
 */
export async function gatherLate(session: AreaSession): Promise<number> {
  return session.fresh === "cache" ? await settleAll(session, "from-cache") : 0;
}
