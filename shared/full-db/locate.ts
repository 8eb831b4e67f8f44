import { type Area, openAllowedArea } from "../area/area.ts";
import { findCache } from "../area/cache.ts";
import { decideHome, readHomehost } from "../area/homehost.ts";
import { refillDue } from "../area/mtime.ts";
import type { Settings } from "../settings.ts";
import { hasContent } from "../sqlite/journal.ts";

/** The files that queries on an area read. */
export interface ReadFiles {
  /** What is read as `main`: the cache or megatest.db. */
  main: string;
  /** Which of the two it is. */
  source: "cache" | "megatest.db";
  megatestDb: string;
  /** May not be there yet. */
  completedDb: string;
}

/**
 * On the homehost queries read this user's cache, which is fresher, and elsewhere megatest.db. So too where the
 * homehost has no cache, or one that Megatest would overwrite from megatest.db before it read a row of it.
 *
 * @param path absolute
 * @throws {JobsError} `not-an-area`, `outside-roots`, `bad-config`, or `not-owner` for a cache that cannot be looked at
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

/** True once there is a completed-runs.db with tables in it. */
export function hasCompleted(files: Pick<ReadFiles, "completedDb">): boolean {
  return hasContent(files.completedDb);
}
