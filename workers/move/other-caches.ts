import type { Area } from "../../shared/area/area.ts";
import { assertSingleCache } from "../../shared/area/foreign-caches.ts";
import type { Settings } from "../../shared/settings.ts";
import { openConnection } from "../sqlite/connection.ts";
import { hasTable } from "../sqlite/table.ts";
import { identifiedTables } from "./record-tables.ts";

/**
 * Makes sure that no other cache of the area holds what we would not see.
 *
 * @returns sentences on what could not be inspected
 * @throws JobsError `several-caches`
 */
export function checkOtherCaches(area: Area, settings: Settings, completedDb: string | undefined): string[] {
  return assertSingleCache(area, settings, (cacheDb) =>
    holdsUnknownRows(cacheDb, area.megatestDb, completedDb),
  );
}

/** True where a cache has a row that neither megatest.db nor completed-runs.db has. */
function holdsUnknownRows(cacheDb: string, megatestDb: string, completedDb: string | undefined): boolean {
  const db = openConnection({
    cache: cacheDb,
    area: megatestDb,
    ...(completedDb === undefined ? {} : { completed: completedDb }),
  });
  try {
    return identifiedTables.some((table) => {
      if (!hasTable(db, "cache", table)) return false;
      const known = ["area", ...(completedDb === undefined ? [] : ["completed"])].filter((part) =>
        hasTable(db, part, table),
      );
      const unknown = known.map(
        (part) => `NOT EXISTS (SELECT 1 FROM ${part}.${table} AS k WHERE k.id = c.id)`,
      );
      const where = unknown.length === 0 ? "1" : unknown.join(" AND ");
      return (
        db.prepare(`SELECT EXISTS (SELECT 1 FROM cache.${table} AS c WHERE ${where})`).pluck().get() === 1
      );
    });
  } finally {
    db.close();
  }
}
