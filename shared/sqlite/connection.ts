import { dirname } from "node:path";
import Database from "better-sqlite3";
import { canSyncDirectory } from "../area/sync-directory.ts";

/**
 * A connection whose main database is an empty one in memory; every file is attached under a name that
 * says its part. So all SQL of ours names what it touches, and `BEGIN` locks nothing by itself.
 */
export type Connection = Database.Database;

/** Files of this thread's connections, to tell which of them was busy: those that are open, and what was opened last. */
const attached = new Map<Connection, Set<string>>();
let last: ReadonlySet<string> = new Set();

function noteAttached(db: Connection, file: string): void {
  for (const known of attached.keys()) if (!known.open) attached.delete(known);
  const files = attached.get(db) ?? new Set();
  attached.set(db, files.add(file));
  last = files;
}

/** The databases that this thread works with, or did a moment ago. */
export function filesAtHand(): string[] {
  const open = [...attached].filter(([db]) => db.open).flatMap(([, files]) => [...files]);
  return [...new Set([...open, ...last])];
}

/** The file that is attached under a name; the name itself if none is. */
export function fileOf(db: Connection, part: string): string {
  const sql = "SELECT file FROM pragma_database_list WHERE name = ?";
  return db.prepare<[string], string>(sql).pluck().get(part) ?? part;
}

/** The part a file plays: the name under which it is attached. */
export type Part = "area" | "cache" | "ref" | "completed";

export interface ConnectionOptions {
  /** Milliseconds SQLite itself waits for a lock; it blocks the thread, so keep it short. */
  busyTimeoutMs?: number;
}

/**
 * Opens a connection and attaches the files given. The files must exist: none is made, by whatever name, not even where
 * one vanished an instant ago. An empty file in its place would pass for a database, and the ids begin at 1 there.
 * Every commit is durable (`commitDurably`): what is removed from one file must be durable in another first.
 *
 * @throws SqliteError `SQLITE_CANTOPEN`, which names the file
 */
export function openConnection(
  files: Partial<Record<Part, string>>,
  options: ConnectionOptions = {},
): Connection {
  // What is attached is opened as this one is: to read and write, and not to create.
  const db = new Database(":memory:", { timeout: options.busyTimeoutMs ?? 1000, fileMustExist: true });
  // Megatest's own connections do not enforce foreign keys; better-sqlite3 turns them on.
  db.pragma("foreign_keys = OFF");
  // Large look-up tables go to a temporary file rather than into memory.
  db.pragma("temp_store = FILE");
  try {
    for (const [part, file] of Object.entries(files)) attach(db, part as Part, file);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/**
 * The same for reading only: no statement writes to a file, no journal is rolled back and none is made. Only for files
 * that are not in WAL mode, or whose log is there: to read one whose log is not would make that, and leave it behind.
 *
 * @throws SqliteError `SQLITE_READONLY_ROLLBACK` at the first statement where a dead writer left a hot journal
 */
export function openToLook(
  files: Readonly<Record<string, string>>,
  options: ConnectionOptions = {},
): Connection {
  // No database in memory is for reading only, but one that comes from a buffer: and so is what is attached to it.
  const db = new Database(emptyDatabase(), { timeout: options.busyTimeoutMs ?? 1000, readonly: true });
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

/** A database without a table, as bytes; an empty buffer is none. */
function emptyDatabase(): Buffer {
  const db = new Database(":memory:");
  try {
    db.pragma("user_version = 1");
    return db.serialize();
  } finally {
    db.close();
  }
}

/** Attaches one more file, which must exist; wholly or not at all, so that it may be tried again. */
export function attach(db: Connection, part: Part, file: string): void {
  noteAttached(db, file);
  db.prepare(`ATTACH ? AS ${part}`).run(file);
  try {
    commitDurably(db, part, file);
    db.pragma(`${part}.cache_size = -16000`);
  } catch (error) {
    db.exec(`DETACH ${part}`);
    throw error;
  }
}

/**
 * Lets commits to an attached file outlast a power cut. With a rollback journal a commit ends with the journal's removal:
 * FULL does not force that to disk, and a journal that comes back rolls the commit back; EXTRA syncs the directory too.
 * Where a directory cannot be synced EXTRA would call each commit failed after it was made; names are written through there.
 */
export function commitDurably(db: Connection, part: Part | "main", file: string): void {
  db.pragma(`${part}.synchronous = ${canSyncDirectory(dirname(file)) ? "EXTRA" : "FULL"}`);
}

/** An SQL identifier in quotes. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text of ours (a table's name, a state) as SQL has it. What comes from outside is bound to a parameter instead. */
export function quoteText(text: string): string {
  // As good as all of them; statements are put together for every slice.
  if (/^[\w-]*$/.test(text)) return `'${text}'`;
  if (text.includes("\0")) throw new TypeError("SQL text must not contain a NUL");
  return `'${text.replaceAll("'", "''")}'`;
}

/** Such texts with commas between, for `IN (…)`. */
export function quoteTexts(texts: readonly string[]): string {
  return texts.map(quoteText).join(", ");
}

/** True where SQLite refused a row: a UNIQUE, NOT NULL or CHECK constraint, or the type of a strict table. */
export function isConstraintError(error: unknown): error is Error {
  return error instanceof Database.SqliteError && error.code.startsWith("SQLITE_CONSTRAINT");
}

/** True where a row of that id or name is there already; false for any other constraint. */
export function isTaken(error: unknown): boolean {
  return (
    error instanceof Database.SqliteError && /^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY|ROWID)$/.test(error.code)
  );
}

const statements = new WeakMap<Connection, Map<string, Database.Statement<unknown[], unknown>>>();

/**
 * `db.prepare`, once for each text: the statements of a batch are long and come again with the next batch.
 * The mode of a statement (`raw`, `pluck`) stays with it, so one text must always be used in one mode.
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
