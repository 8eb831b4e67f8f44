import { existsSync, statSync } from "node:fs";
import { userText } from "../../shared/area/user-name.ts";
import { nameDatabase } from "../../shared/area-db/name-database.ts";
import { readRule } from "../../shared/area-db/run-sides.ts";
import {
  type ReferenceColumns,
  readReference,
  readUnionTables,
  type Side,
} from "../../shared/area-db/run-tables.ts";
import { JobsError, systemCode } from "../../shared/errors.ts";
import { type Connection, prepared } from "../../shared/sqlite/connection.ts";
import { journalMode } from "../../shared/sqlite/journal.ts";
import { openSqlite } from "../../shared/sqlite/library.ts";
import { foldName } from "../../shared/sqlite/names.ts";
import { hasTable } from "../../shared/sqlite/table.ts";
import { hasCompleted, type ReadFiles } from "./locate.ts";
import { createViews, type Union, viewStatements } from "./rewrite/views.ts";
import { createSiteViews, readSiteViews } from "./site-views.ts";

export interface OpenOptions {
  /** False: only main, unchanged; default true. */
  fullDb?: boolean;
  /** Milliseconds to wait for a writer; default 10 s. */
  busyTimeoutMs?: number;
  /** Sort in memory, which the caller limits, instead of in files, which may fill the disk. */
  sortInMemory?: boolean;
}

export interface Reader {
  db: Connection;
  /** Undefined without full-db mode. */
  union: Union | undefined;
  /** SQL of the site's own views, for a connection that has those of the union. */
  siteViews: readonly string[];
  /**
   * Returns true if a schema has changed so that the views would be others. While the views stand for all columns, that
   * cannot make a value wrong, and is looked for once a second unless it must be known `atOnce`.
   */
  isOutdated(atOnce?: boolean): boolean;
  /** May be called twice. */
  close(): void;
}

/** Longer than a batch of a reduce or a sync holds a database. */
const defaultBusyTimeoutMs = 10_000;

/**
 * Opens the files read-only, and creates none.
 *
 * @throws {JobsError} `busy` if a dead writer left a hot journal, which only a writer may roll back; `not-owner`,
 *   `unknown-schema`, `io`, `corrupt`
 */
export function openReader(files: ReadFiles, options: OpenOptions = {}): Reader {
  const { fullDb = true, busyTimeoutMs = defaultBusyTimeoutMs } = options;
  const closing: Connection[] = [];
  const close = () => {
    for (const db of closing.reverse().splice(0)) db.close();
  };
  try {
    const keeper = keepLog(files.main);
    if (keeper !== undefined) closing.push(keeper);
    const db = openSqlite(files.main, { readonly: true, timeout: busyTimeoutMs });
    closing.push(db);
    db.pragma(`temp_store = ${options.sortInMemory === true ? "MEMORY" : "FILE"}`);
    assertMegatest(db, files.main);
    if (!fullDb) {
      db.pragma("query_only = ON");
      return { db, union: undefined, siteViews: [], isOutdated: () => false, close };
    }
    return { db, ...showUnion(db, files), close };
  } catch (error) {
    close();
    throw toReadError(error, files);
  }
}

/** How often a change that makes no value wrong is looked for, ms: it costs as much as a small query. */
const watchMs = 1_000;

/** Calls `isSame` only if a schema has changed: a job that sets triggers aside changes it for each slice. */
function watchSchemas(
  db: Connection,
  sides: readonly Side[],
  { isSame, isComplete }: { isSame: () => boolean; isComplete: () => boolean },
): Reader["isOutdated"] {
  const read = () =>
    sides.map((side) => prepared<[], number>(db, `PRAGMA ${side}.schema_version`).pluck().get()).join();
  let known = read();
  let readAt = performance.now();
  return (atOnce = !isComplete()) => {
    if (!atOnce && performance.now() - readAt < watchMs) return false;
    // Read first, so that a change during the comparison is noticed next time.
    const now = read();
    readAt = performance.now();
    if (now !== known && !isSame()) return true;
    known = now;
    return false;
  };
}

function showUnion(db: Connection, files: ReadFiles): Omit<Reader, "db" | "close"> {
  const attached = attachCompleted(db, files);
  let reference: ReferenceColumns | undefined;
  const read = () => {
    reference = referenceOf(db, files, reference);
    const tables = readUnionTables(db, attached, reference);
    const rule = attached ? readRule(db) : undefined;
    const renamedBlocks = attached && hasTable(db, "completed", "mtjobs_archived");
    return { union: { tables, rule, renamedBlocks }, ofSite: readSiteViews(db) };
  };
  const textOf = ({ union, ofSite }: ReturnType<typeof read>) =>
    JSON.stringify([viewStatements(union), ofSite]);
  // Watched before they are read.
  const isOutdated = watchSchemas(db, attached ? ["main", "completed"] : ["main"], {
    isSame: () => textOf(read()) === shown,
    isComplete: () => complete,
  });
  const { union, ofSite } = read();
  const shown = textOf({ union, ofSite });
  // A view of the site's own may be made again with another meaning.
  const complete = hasAll(union) && ofSite.length === 0;
  createViews(db, union);
  const siteViews = createSiteViews(db, ofSite);
  // No statement may hide a view behind a table.
  db.pragma("query_only = ON");
  return { union, siteViews, isOutdated };
}

/** Returns true if both sides have every column, and completed-runs.db every table that decides on values. */
function hasAll({ tables, rule, renamedBlocks }: Union): boolean {
  const isThere = (present: readonly string[] | undefined, columns: readonly { name: string }[]) =>
    columns.every(({ name }) => present?.includes(foldName(name)) === true);
  return (
    rule !== undefined &&
    renamedBlocks &&
    tables.every(
      ({ columns, present: { main, completed } }) => isThere(main, columns) && isThere(completed, columns),
    )
  );
}

/** Attaches completed-runs.db after main, so that it is read after main: see `run-sides.ts`. */
function attachCompleted(db: Connection, files: ReadFiles): boolean {
  if (!hasCompleted(files)) return false;
  db.prepare("ATTACH ? AS completed").run(files.completedDb);
  // A job is just creating it.
  const complete = ["runs", "tests"].every((table) => hasTable(db, "completed", table));
  if (!complete) db.exec("DETACH completed");
  return complete;
}

/** Reads megatest.db's columns, since the cache may come from another Megatest version. */
function referenceOf(
  db: Connection,
  { main, megatestDb }: ReadFiles,
  known: ReferenceColumns | undefined,
): ReferenceColumns {
  if (main === megatestDb) return readReference(db);
  const area = openSqlite(megatestDb, { readonly: true, timeout: 1000 });
  try {
    return readReference(area);
  } catch {
    return known ?? readReference(db); // busy with a writer; the cache is still readable
  } finally {
    area.close();
  }
}

function assertMegatest(db: Connection, file: string): void {
  const missing = ["runs", "tests", "test_steps", "test_data"].find((table) => !hasTable(db, "main", table));
  if (missing === undefined) return;
  throw new JobsError("unknown-schema", `${file} has no table ${missing}: it is not a Megatest database`, {
    hint: "check the file; nothing was changed",
  });
}

export function toReadError(error: unknown, files: ReadFiles): JobsError {
  const code = systemCode(error);
  if (code === "SQLITE_READONLY_ROLLBACK" || code === "SQLITE_READONLY_RECOVERY") {
    return new JobsError(
      "busy",
      `a writer of ${files.main} or ${files.completedDb} died and left a journal`,
      {
        hint: "a read-only connection cannot roll it back; any Megatest client or any job on the area does",
        cause: error,
      },
    );
  }
  return nameDatabase(error, [files.main, files.completedDb]);
}

/**
 * Opens a writable connection to a WAL database that no process has open. Reading it creates log and index, which
 * only a writable connection removes: this one is closed last, and runs no queries.
 *
 * @returns undefined if not needed
 * @throws {JobsError} `not-owner` for another user's database, whose owner the new files would lock out
 */
function keepLog(file: string): Connection | undefined {
  if (journalMode(file) !== "wal" || existsSync(`${file}-wal`)) return undefined;
  const owner = statSync(file).uid;
  const user = process.geteuid?.() ?? 0;
  if (user !== 0 && user !== owner) {
    throw new JobsError("not-owner", `${file} is in WAL mode and belongs to ${userText(owner)}`, {
      hint: `read it as user ${owner}, or while one of that user's programs has it open`,
    });
  }
  const keeper = openSqlite(file, { fileMustExist: true });
  keeper.pragma("query_only = ON");
  keeper.prepare("SELECT count(*) FROM sqlite_schema").get();
  return keeper;
}
