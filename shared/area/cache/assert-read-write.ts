import { lstatSync } from "node:fs";
import type { Settings } from "../../settings/settings.ts";
import type { Area } from "../area.ts";
import { assertOwned } from "../ownership.ts";
import type { CachePair } from "./cache.ts";

/**
 * Refuses (`not-owner`) unless this process may read and write area and cache as their owner or root: another user's
 * journal would lock the owner out. Checks only metadata: closing a database here would drop SQLite's locks on it.
 */
export function assertReadWrite(area: Area, cache: CachePair | undefined, settings: Settings): void {
  assertOwned(area.realPath, "area directory", settings);
  assertOwned(area.megatestDb, "database", settings);
  if (lstatSync(area.completedDb, { throwIfNoEntry: false }) !== undefined) {
    assertOwned(area.completedDb, "database", settings);
  }
  if (cache === undefined) return;
  assertOwned(cache.directory, "cache directory", settings);
  assertOwned(cache.megatestDb, "cache", settings);
  if (cache.refDb !== undefined) assertOwned(cache.refDb, "cache", settings);
}
