import { lstatSync } from "node:fs";
import type { Area } from "../area/area.ts";
import { type FoundCache, largestCache } from "../area/cache/find-caches.ts";
import type { CacheContent, CacheReader } from "../area/cache/single-cache.ts";
import { targetKeys } from "../area/config/config.ts";
import { defined } from "../defined.ts";
import { toJobsError } from "../errors.ts";
import { type Connection, type Part, prepared } from "../sqlite/connection.ts";
import { idRanges } from "../sqlite/ids.ts";
import { copyPrivately, type PrivateCopy } from "../sqlite/private-copy.ts";
import { hasTable } from "../sqlite/table.ts";
import { gapName, notNamed } from "./hidden-row-names.ts";
import { findForeignPart, sharesRun } from "./one-area.ts";
import { type IdentifiedTable, identifiedTables } from "./record-tables.ts";

export type Opener = (files: Partial<Record<Part, string>>) => Connection;

/**
 * Reads private copies only: see `copyPrivately`.
 *
 * @param completed completed-runs.db, if it exists
 */
export function cacheReader(area: Area, completed: string | undefined, open: Opener): CacheReader {
  const maxBytes = largestCache(area);
  return (cache) => {
    const sign = signOf(cache, area.megatestDb, completed);
    const before = known.get(cache.directory);
    if (before?.sign === sign) return before.content;
    const copies: PrivateCopy[] = [];
    const copy = (file: string) => {
      const made = copyAtRest(file, cache.ownerUid, maxBytes);
      copies.push(made);
      return made.file;
    };
    try {
      const content = contentOf(cache, area, completed, copy, open);
      if (known.size > mostRemembered) known.clear();
      // A sync adds unknown rows to megatest.db without changing the cache.
      if (content !== "unknown-rows") known.set(cache.directory, { sign, content });
      return content;
    } catch (error) {
      if (error instanceof BeingWritten) return "being-written";
      throw error;
    } finally {
      for (const { remove } of copies) remove();
    }
  };
}

class BeingWritten extends Error {}

/** Tells a busy cache from a busy database of the area. @throws BeingWritten; otherwise as `copyPrivately` */
function copyAtRest(file: string, uid: number, maxBytes: number): PrivateCopy {
  try {
    return copyPrivately(file, { uid, maxBytes });
  } catch (error) {
    throw toJobsError(error).code === "busy" ? new BeingWritten(file, { cause: error }) : error;
  }
}

/** By directory. Caches stay in /tmp forever, and copying each would take longer than the job. */
const known = new Map<string, { sign: string; content: CacheContent }>();
const mostRemembered = 1_000;

/** Changes when the cache is written to or synced, or the area's databases are replaced. */
function signOf({ megatestDb, refDb }: FoundCache, areaDb: string, completed = ""): string {
  const stat = (path: string) => lstatSync(path, { bigint: true, throwIfNoEntry: false });
  const cache = [megatestDb, `${megatestDb}-wal`, refDb].map(stat);
  const area = [areaDb, completed].map((path) => stat(path)?.ino);
  return [...cache.flatMap((file) => [file?.ino, file?.size, file?.ctimeNs]), ...area].join();
}

function contentOf(
  cache: FoundCache,
  area: Area,
  completed: string | undefined,
  copy: (file: string) => string,
  open: Opener,
): CacheContent {
  const files: Partial<Record<Part, string>> = defined({
    area: area.megatestDb,
    cache: copy(cache.megatestDb),
    completed,
  });
  const keys = targetKeys(area.config);
  return withDatabases(open, files, (db) => {
    if (!sharesRun(db, keys, partsOf(files))) {
      // It may be new, with only unsynced rows.
      const isOthers = cache.reading !== "same" || isForeign(cache, files, keys, copy, open);
      if (isOthers) return "another-area";
    }
    return holdsUnknownRows(db, completed !== undefined) ? "unknown-rows" : "known-rows";
  });
}

const partsOf = (files: Partial<Record<Part, string>>) => Object.keys(files) as Part[];

/** Checks the ref too: all its rows were in its area's megatest.db. */
function isForeign(
  { refDb }: FoundCache,
  files: Partial<Record<Part, string>>,
  keys: readonly string[],
  copy: (file: string) => string,
  open: Opener,
): boolean {
  const hasRef = lstatSync(refDb, { throwIfNoEntry: false })?.isFile() === true;
  const all = hasRef ? { ...files, ref: copy(refDb) } : files;
  return withDatabases(open, all, (db) => findForeignPart(db, keys, partsOf(all)) !== undefined);
}

function withDatabases<T>(
  open: Opener,
  files: Partial<Record<Part, string>>,
  body: (db: Connection) => T,
): T {
  const db = open(files);
  try {
    db.pragma("trusted_schema = OFF");
    return body(db);
  } finally {
    db.close();
  }
}

function holdsUnknownRows(db: Connection, hasCompleted: boolean): boolean {
  return identifiedTables.some((table) => {
    if (!hasTable(db, "cache", table)) return false;
    const parts = (["area", ...(hasCompleted ? ["completed"] : [])] as const).filter((part) =>
      hasTable(db, part, table),
    );
    return hasUnknownRow(db, table, parts);
  });
}

/** A few milliseconds of a shared lock. */
const chunk = 5_000;

function hasUnknownRow(db: Connection, table: IdentifiedTable, parts: readonly string[]): boolean {
  const unknown = parts.map((part) => `NOT EXISTS (SELECT 1 FROM ${part}.${table} AS k WHERE k.id = c.id)`);
  const found = prepared<[bigint, bigint], number>(
    db,
    `SELECT EXISTS (SELECT 1 FROM cache.${table} AS c
       WHERE ${["c.id BETWEEN ? AND ?", notNamed(table, "c", gapName) ?? "1", ...unknown].join(" AND ")})`,
  ).pluck();
  for (const range of idRanges(db, `cache.${table}`, chunk)) if (found.get(...range) === 1) return true;
  return false;
}
