import { lstatSync } from "node:fs";
import type { Area } from "../area/area.ts";
import { type FoundCache, largestCache } from "../area/cache/find-caches.ts";
import type { CacheContent, CacheReader } from "../area/cache/single-cache.ts";
import { targetKeys } from "../area/config/config.ts";
import { defined } from "../defined.ts";
import { toJobsError } from "../errors.ts";
import { type Connection, type Part, prepared, quoteName } from "../sqlite/connection.ts";
import { idRanges } from "../sqlite/ids.ts";
import { foldName, NameSet } from "../sqlite/names.ts";
import { copyPrivately, type PrivateCopy } from "../sqlite/private-copy.ts";
import { columnNames, hasTable } from "../sqlite/table.ts";
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
    const sign = signOf(cache, area.megatestDb, completed, open);
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

/**
 * Changes when the cache is written to or synced, the area's databases are replaced, or rows leave completed-runs.db or
 * get other ids there.
 */
function signOf(
  { megatestDb, refDb }: FoundCache,
  areaDb: string,
  completed: string | undefined,
  open: Opener,
): string {
  const stat = (path: string) => lstatSync(path, { bigint: true, throwIfNoEntry: false });
  const cache = [megatestDb, `${megatestDb}-wal`, refDb].map(stat);
  const area = [areaDb, completed ?? ""].map((path) => stat(path)?.ino);
  const left = completed === undefined ? "" : changesOfIds(completed, open);
  return [...cache.flatMap((file) => [file?.ino, file?.size, file?.ctimeNs]), ...area, left].join();
}

/** Changes with each purge and each row that got another id. */
function changesOfIds(completed: string, open: Opener): string {
  return withDatabases(open, { completed }, (db) =>
    ["mtjobs_purged", "mtjobs_renumbered"]
      .filter((table) => hasTable(db, "completed", table))
      .map((table) => prepared<[], number>(db, `SELECT count(*) FROM completed.${table}`).pluck().get())
      .join(),
  );
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
  // Copied only if it is needed.
  let pair: typeof files | undefined;
  const withRef = () => {
    const hasRef = lstatSync(cache.refDb, { throwIfNoEntry: false })?.isFile() === true;
    pair ??= hasRef ? { ...files, ref: copy(cache.refDb) } : files;
    return pair;
  };
  const shares = withDatabases(open, files, (db) => sharesRun(db, keys, partsOf(files), "cache"));
  if (!shares) {
    // It may be new, with only unsynced rows.
    const isOthers = cache.reading !== "same" || isForeign(withRef(), keys, open);
    if (isOthers) return "another-area";
  }
  const parts = partsOf(files).filter((part) => part !== "cache");
  if (!withDatabases(open, files, (db) => holdsUnknownRows(db, parts))) return "known-rows";
  return holdsUnsyncedRows(withRef(), keys, open) ? "unknown-rows" : "known-rows";
}

const partsOf = (files: Partial<Record<Part, string>>) => Object.keys(files) as Part[];

/** Checks the ref too: all its rows were in its area's megatest.db. */
function isForeign(pair: Partial<Record<Part, string>>, keys: readonly string[], open: Opener): boolean {
  return withDatabases(open, pair, (db) => findForeignPart(db, keys, partsOf(pair)) !== undefined);
}

/**
 * Returns true if a sync would bring a row to megatest.db that neither it nor completed-runs.db has. It brings none that
 * the ref has in the same form: what was synced once, and is gone now, was purged, or removed by Megatest's clean-up.
 */
function holdsUnsyncedRows(
  pair: Partial<Record<Part, string>>,
  keys: readonly string[],
  open: Opener,
): boolean {
  return withDatabases(open, pair, (db) => {
    const isOurRef = pair.ref !== undefined && sharesRun(db, keys, partsOf(pair), "ref");
    return (
      !isOurRef ||
      holdsUnknownRows(
        db,
        partsOf(pair).filter((part) => part !== "cache"),
      )
    );
  });
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

/** Returns true if the cache has a row that none of `parts` has; the ref, if it is one of them, in the same form. */
function holdsUnknownRows(db: Connection, parts: readonly Part[]): boolean {
  return identifiedTables.some(
    (table) =>
      hasTable(db, "cache", table) &&
      hasUnknownRow(
        db,
        table,
        parts.filter((part) => hasTable(db, part, table)),
      ),
  );
}

/** A few milliseconds of a shared lock. */
const chunk = 5_000;

function hasUnknownRow(db: Connection, table: IdentifiedTable, parts: readonly Part[]): boolean {
  const unknown = parts.map((part) => {
    const same = part === "ref" ? sameInRef(db, table) : "k.id = c.id";
    return `NOT EXISTS (SELECT 1 FROM ${part}.${table} AS k WHERE ${same})`;
  });
  const found = prepared<[bigint, bigint], number>(
    db,
    `SELECT EXISTS (SELECT 1 FROM cache.${table} AS c
       WHERE ${["c.id BETWEEN ? AND ?", notNamed(table, "c", gapName) ?? "1", ...unknown].join(" AND ")})`,
  ).pluck();
  for (const range of idRanges(db, `cache.${table}`, chunk)) if (found.get(...range) === 1) return true;
  return false;
}

/**
 * SQL: the ref's row `k` is the cache's row `c`. The time of the last update may differ: some syncs do not carry it. A
 * value in another column that the sync does not carry makes a difference; then the cache counts as unsynced.
 */
function sameInRef(db: Connection, table: IdentifiedTable): string {
  const there = new NameSet(columnNames(db, "ref", table));
  const compared = columnNames(db, "cache", table).filter((name) => foldName(name) !== "last_update");
  if (!compared.every((name) => there.has(name))) return "0";
  return compared.map((name) => `k.${quoteName(name)} IS c.${quoteName(name)} COLLATE BINARY`).join(" AND ");
}
