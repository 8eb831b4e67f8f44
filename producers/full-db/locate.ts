import { type Area, openAllowedArea } from "../../shared/area/area.ts";
import { findCache } from "../../shared/area/cache/cache.ts";
import { refillDue } from "../../shared/area/cache/mtime.ts";
import { decideHome, readHomehost } from "../../shared/area/homehost.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { isNotEmpty } from "../../shared/sqlite/journal.ts";

export interface ReadFiles {
  /** Cache or megatest.db. */
  main: string;
  source: "cache" | "megatest.db";
  megatestDb: string;
  /** May not exist yet. */
  completedDb: string;
}

/**
 * Reads this user's cache on the homehost, which is fresher; megatest.db elsewhere, without a cache, or if Megatest
 * would refill it first.
 *
 * @param path absolute
 * @throws {JobsError} `not-an-area`, `outside-roots`, `bad-config`, or `not-owner` for an inaccessible cache
 */
export async function locateFiles(
  path: string,
  { settings, env }: { settings: Settings; env: NodeJS.ProcessEnv },
): Promise<{ area: Area; files: ReadFiles }> {
  const area = openAllowedArea(path, settings, env);
  const { megatestDb, completedDb } = area;
  const { atHome } = await decideHome(readHomehost(area), settings);
  const cache = atHome === true ? findCache(area, settings) : undefined;
  const fresh = cache !== undefined && !refillDue(area, cache);
  return {
    area,
    files: {
      main: fresh ? cache.megatestDb : megatestDb,
      source: fresh ? "cache" : "megatest.db",
      megatestDb,
      completedDb,
    },
  };
}

export function hasCompleted(files: Pick<ReadFiles, "completedDb">): boolean {
  return isNotEmpty(files.completedDb);
}
