import type { Area } from "../../../shared/area/area.ts";
import { type CachePair, findCache } from "../../../shared/area/cache/cache.ts";
import type { Settings } from "../../../shared/settings/settings.ts";
import { isEmptyPair, removePair } from "./pair-files.ts";
import { withPairGuard } from "./pair-guard.ts";

/**
 * Returns the existing pair on the future home. Removes an empty one unless it is open: with a token it would look
 * like a cache in use.
 */
export async function findExistingPair(area: Area, settings: Settings): Promise<CachePair | undefined> {
  const pair = findCache(area, settings);
  if (pair === undefined || !isEmptyPair(pair)) return pair;
  await withPairGuard(settings, async () => isEmptyPair(pair) && removePair(pair.directory));
  return findCache(area, settings);
}
