import { lstatSync } from "node:fs";
import type { Area } from "../../shared/area/area.ts";
import { assertSingleCache, largestCache } from "../../shared/area/foreign-caches.ts";
import { gapName, notNamed } from "../../shared/id-guard-name.ts";
import { type IdentifiedTable, identifiedTables } from "../../shared/record-tables.ts";
import type { Settings } from "../../shared/settings.ts";
import { type Connection, prepared } from "../../shared/sqlite/connection.ts";
import { idRanges } from "../../shared/sqlite/ids.ts";
import { copyPrivately } from "../../shared/sqlite/private-copy.ts";
import { hasTable } from "../../shared/sqlite/table.ts";
import { openQuietly } from "./open-quietly.ts";

/**
 * Makes sure that no other cache of the area holds what we would not see. SQLite opens a private copy of it alone: see
 * `copyPrivately`.
 *
 * @returns sentences on what could not be inspected
 * @throws JobsError `several-caches`
 */
export function checkOtherCaches(area: Area, settings: Settings, completedDb: string | undefined): string[] {
  const maxBytes = largestCache(area);
  return assertSingleCache(area, settings, (cacheDb, uid) => {
    const seen = signOf(cacheDb, area.megatestDb, completedDb);
    if (harmless.get(cacheDb) === seen) return false;
    const copy = copyPrivately(cacheDb, { uid, maxBytes });
    try {
      const isHarmful = holdsUnknownRows(copy.file, area.megatestDb, completedDb);
      if (harmless.size > mostRemembered) harmless.clear();
      if (!isHarmful) harmless.set(cacheDb, seen);
      return isHarmful;
    } finally {
      copy.remove();
    }
  });
}

/**
 * Caches that held nothing else when this process looked, by path, as they were then. They stay in /tmp for ever: with many
 * users a copy of each would take longer than the job.
 */
const harmless = new Map<string, string>();
const mostRemembered = 1_000;

/** What tells that a cache was written to since, or that the area's databases are other files. */
function signOf(cacheDb: string, megatestDb: string, completedDb = ""): string {
  const stat = (path: string) => lstatSync(path, { bigint: true, throwIfNoEntry: false });
  const cache = [cacheDb, `${cacheDb}-wal`].map(stat);
  const area = [megatestDb, completedDb].map((path) => stat(path)?.ino);
  return [...cache.flatMap((file) => [file?.ino, file?.size, file?.ctimeNs]), ...area].join();
}

/** True where a cache has a row that neither megatest.db nor completed-runs.db has. */
function holdsUnknownRows(cacheDb: string, megatestDb: string, completedDb: string | undefined): boolean {
  const db = openQuietly({
    cache: cacheDb,
    area: megatestDb,
    ...(completedDb === undefined ? {} : { completed: completedDb }),
  });
  try {
    // What a stranger's schema says is not run.
    db.pragma("trusted_schema = OFF");
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
