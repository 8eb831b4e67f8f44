import type { Area } from "../../shared/area/area.ts";
import { assertSingleCache } from "../../shared/area/foreign-caches.ts";
import { gapName, notNamed } from "../../shared/id-guard-name.ts";
import type { Settings } from "../../shared/settings.ts";
import { type Connection, openConnection, prepared } from "../../shared/sqlite/connection.ts";
import { idRanges } from "../../shared/sqlite/ids.ts";
import { hasTable } from "../../shared/sqlite/table.ts";
import { type IdentifiedTable, identifiedTables } from "./record-tables.ts";

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
      const known = (["area", ...(completedDb === undefined ? [] : ["completed"])] as const).filter((part) =>
        hasTable(db, part, table),
      );
      return hasUnknownRow(db, table, known);
    });
  } finally {
    db.close();
  }
}

/** Rows looked at in one statement: a few milliseconds of a shared lock. */
const chunk = 5_000;

function hasUnknownRow(db: Connection, table: IdentifiedTable, known: readonly string[]): boolean {
  const unknown = known.map((part) => `NOT EXISTS (SELECT 1 FROM ${part}.${table} AS k WHERE k.id = c.id)`);
  const found = prepared<[bigint, bigint], number>(
    db,
    `SELECT EXISTS (SELECT 1 FROM cache.${table} AS c
       WHERE ${["c.id BETWEEN ? AND ?", notNamed(table, "c", gapName) ?? "1", ...unknown].join(" AND ")})`,
  ).pluck();
  for (const range of idRanges(db, `cache.${table}`, chunk)) if (found.get(...range) === 1) return true;
  return false;
}
