import { statSync } from "node:fs";
import { dirname } from "node:path";
import type Database from "better-sqlite3";
import { JobsError, replacedHint, toJobsError } from "../errors.ts";
import { canSyncDirectory } from "../files/sync-directory.ts";
import { isSqliteError, openSqlite } from "./library.ts";

/**
 * A connection whose main database is empty and in memory; each file is attached under the name of its part. So all
 * SQL names its database, and `BEGIN` alone takes no lock.
 */
export type Connection = Database.Database;

/** Files of this thread's connections, to find out which was busy. */
const attached = new Map<Connection, Set<string>>();
let last: ReadonlySet<string> = new Set();

/** Notes a file that is attached in another way, so that an error can name it. */
export function noteAttached(db: Connection, file: string): void {
  for (const known of attached.keys()) if (!known.open) attached.delete(known);
  const files = attached.get(db) ?? new Set();
  attached.set(db, files.add(file));
  last = files;
}

interface FileIdentity {
  dev: bigint;
  ino: bigint;
}

/** What the attached files were when they were opened, by connection. */
const opened = new WeakMap<Connection, Map<string, FileIdentity | undefined>>();

/** @param before what it was right before it was attached */
function noteOpened(db: Connection, file: string, before: FileIdentity | undefined): void {
  const is = identityOf(file);
  // If it was replaced meanwhile, which of the two was opened is not known.
  if (before !== undefined && is?.ino !== before.ino) throw notInPlace(file, is);
  const files = opened.get(db) ?? new Map();
  opened.set(db, files.set(file, is));
}

function identityOf(file: string): FileIdentity | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false });
}

/**
 * Checks that each attached file is still the one of its name. A connection goes on with a file that was moved away,
 * which no other process sees any more; SQLite itself notices that only when it writes to the file.
 *
 * @throws JobsError `io` with the file
 */
export function assertInPlace(db: Connection): void {
  for (const [file, was] of opened.get(db) ?? []) {
    const is = identityOf(file);
    if (was === undefined || is?.dev !== was.dev || is.ino !== was.ino) throw notInPlace(file, is);
  }
}

function notInPlace(file: string, is: FileIdentity | undefined): JobsError {
  return new JobsError("io", `${file} was ${is === undefined ? "removed" : "replaced"} while it was in use`, {
    hint: replacedHint,
    details: { file },
  });
}

export function filesAtHand(): string[] {
  const open = [...attached].filter(([db]) => db.open).flatMap(([, files]) => [...files]);
  return [...new Set([...open, ...last])];
}

/** Returns the attached file; the name itself if there is none. */
export function fileOf(db: Connection, part: string): string {
  const sql = "SELECT file FROM pragma_database_list WHERE name = ?";
  return db.prepare<[string], string>(sql).pluck().get(part) ?? part;
}

/** Loads SQLite's native library, which the first connection does. @throws JobsError `bad-installation` */
export function assertSqliteLoads(): void {
  try {
    openSqlite(":memory:").close();
  } catch (error) {
    throw toJobsError(error);
  }
}

export type Part = "area" | "cache" | "ref" | "completed";

/** `export`: a database of one run, beside those of its area. */
export type AttachedPart = Part | "export";

export interface ConnectionOptions {
  /** Milliseconds; blocks the thread, so keep it short. */
  busyTimeoutMs?: number;
}

/**
 * Opens a connection with existing files attached; never creates one, even if it just vanished: an empty file would
 * pass for a database with ids from 1. Commits are durable: rows removed from one file must be durable in another
 * first.
 *
 * @throws SqliteError `SQLITE_CANTOPEN`, which names the file
 */
export function openConnection(
  files: Partial<Record<AttachedPart, string>>,
  options: ConnectionOptions = {},
): Connection {
  // Attached files inherit the mode.
  const db = openSqlite(":memory:", { timeout: options.busyTimeoutMs ?? 1000, fileMustExist: true });
  // Megatest's own connections do not enforce foreign keys; better-sqlite3 turns them on.
  db.pragma("foreign_keys = OFF");
  db.pragma("temp_store = FILE");
  try {
    for (const [part, file] of Object.entries(files)) attach(db, part as AttachedPart, file);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/**
 * Opens files read-only, and rolls back no journal. Only without WAL mode or with an existing log: otherwise reading
 * would leave one.
 *
 * @throws SqliteError `SQLITE_READONLY_ROLLBACK` at the first statement if a dead writer left a hot journal
 */
export function openReadonlyConnection(
  files: Readonly<Record<string, string>>,
  options: ConnectionOptions = {},
): Connection {
  // Only an in-memory database from a buffer can be read-only; attached files inherit that.
  const db = openSqlite(emptyDatabase(), { timeout: options.busyTimeoutMs ?? 1000, readonly: true });
  try {
    db.pragma("foreign_keys = OFF");
    db.pragma("temp_store = FILE");
    for (const [part, file] of Object.entries(files)) {
      noteAttached(db, file);
      db.prepare(`ATTACH ? AS ${quoteName(part)}`).run(file);
    }
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/** Serializes a database, since an empty buffer is not valid. */
function emptyDatabase(): Buffer {
  const db = openSqlite(":memory:");
  try {
    db.pragma("user_version = 1");
    return db.serialize();
  } finally {
    db.close();
  }
}

/** Attaches one more file; on failure nothing is attached, so it can be retried. */
export function attach(db: Connection, part: AttachedPart, file: string): void {
  noteAttached(db, file);
  const before = identityOf(file);
  db.prepare(`ATTACH ? AS ${part}`).run(file);
  try {
    noteOpened(db, file, before);
    commitDurably(db, part, file);
    db.pragma(`${part}.cache_size = -16000`);
  } catch (error) {
    db.exec(`DETACH ${part}`);
    throw error;
  }
}

/**
 * Makes commits survive a power cut. FULL does not sync the removal of a journal, and one that reappears rolls the
 * commit back; EXTRA syncs the directory too. Without support for that, EXTRA would report finished commits as
 * failed; names are written through there.
 */
export function commitDurably(db: Connection, part: AttachedPart | "main", file: string): void {
  db.pragma(`${part}.synchronous = ${canSyncDirectory(dirname(file)) ? "EXTRA" : "FULL"}`);
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Quotes internal text; external text is bound to a parameter. */
export function quoteText(text: string): string {
  // Fast: statements are built for every slice.
  if (/^[\w-]*$/.test(text)) return `'${text}'`;
  if (text.includes("\0")) throw new TypeError("SQL text must not contain a NUL");
  return `'${text.replaceAll("'", "''")}'`;
}

export function quoteTexts(texts: readonly string[]): string {
  return texts.map(quoteText).join(", ");
}

/** Returns true also for the type of a strict table. */
export function isConstraintError(error: unknown): error is Error {
  return isSqliteError(error) && error.code.startsWith("SQLITE_CONSTRAINT");
}

/** Returns true if a row of that id or name exists; false for other constraints. */
export function isTaken(error: unknown): boolean {
  return isSqliteError(error) && /^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY|ROWID)$/.test(error.code);
}

const statements = new WeakMap<Connection, Map<string, Database.Statement<unknown[], unknown>>>();

/**
 * Caches statements by text. The mode (`raw`, `pluck`) belongs to the statement, so a text must always be used in one
 * mode.
 */
export function prepared<Parameters extends unknown[] | object = unknown[], Row = unknown>(
  db: Connection,
  sql: string,
): Database.Statement<Parameters extends unknown[] ? Parameters : [Parameters], Row> {
  let known = statements.get(db);
  if (known === undefined) {
    known = new Map();
    statements.set(db, known);
  }
  let statement = known.get(sql);
  if (statement === undefined) {
    statement = db.prepare(sql);
    known.set(sql, statement);
  }
  return statement as Database.Statement<Parameters extends unknown[] ? Parameters : [Parameters], Row>;
}
