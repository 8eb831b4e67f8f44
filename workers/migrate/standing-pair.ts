import type { Area } from "../../shared/area/area.ts";
import { type CachePair, findCache } from "../../shared/area/cache.ts";
import type { Settings } from "../../shared/settings.ts";
import { isEmptyPair, removePair } from "./pair-files.ts";
import { withPairGuard } from "./pair-guard.ts";

/**
 * The pair that stands on the host which is to become the home, before any token is written into it. One without a byte is
 * removed first, unless a process has it open: nothing ever was in it, and with a token it would look like a cache in use.
 */
export async function findStandingPair(area: Area, settings: Settings): Promise<CachePair | undefined> {
  const pair = findCache(area, settings);
  if (pair === undefined || !isEmptyPair(pair)) return pair;
  await withPairGuard(settings, async () => isEmptyPair(pair) && removePair(pair.directory));
  return findCache(area, settings);
}
