import { existsSync } from "node:fs";
import { JobsError } from "../../shared/errors.ts";
import {
  type Connection,
  openConnection,
  openReadonlyConnection,
  type Part,
} from "../../shared/sqlite/connection.ts";
import { assertHarmlessJournal, hasHotJournal, journalMode, walBytes } from "../../shared/sqlite/journal.ts";

/** Milliseconds to wait for a locked database before it is reported as busy. */
const patience = 500;

/**
 * Opens databases read-only without changing a byte or leaving a file beside them. It refuses a database whose
 * journal would have to be rolled back, or that would need a new log.
 *
 * @throws {JobsError} `busy` if a writer is running or died; `io` if megatest.db or completed-runs.db is in WAL
 *   mode; `not-owner` if a journal names another file, which SQLite might remove; SQLite's error if one cannot be
 *   opened
 */
export function openReadonly(files: Partial<Record<Part, string>>): Connection {
  const given = Object.entries(files) as [Part, string][];
  if (given.length === 0) throw new TypeError("no files given");
  const modes = new Map(given.map(([part, file]) => [part, assertReadable(part, file)]));
  const inWal = given.filter(([part]) => modes.get(part) === "wal");
  // Closing a writable connection checkpoints the log into the database.
  const readonly = inWal.length === 0 || inWal.some(([, file]) => walBytes(file) > 0);
  for (const [, file] of readonly ? inWal : []) {
    // A read-only connection creates a missing log and leaves it behind.
    if (!existsSync(`${file}-wal`)) throw notNow(file, "is in WAL mode and closed");
  }
  const options = { busyTimeoutMs: patience };
  const db = readonly ? openReadonlyConnection(files, options) : openConnection(files, options);
  db.pragma("query_only = ON");
  return db;
}

function assertReadable(part: Part, file: string): ReturnType<typeof journalMode> {
  assertHarmlessJournal(file);
  const mode = journalMode(file);
  if (hasHotJournal(file)) throw notNow(file, "has a hot journal: a writer is running or died");
  if (mode === "wal" && (part === "area" || part === "completed")) throw inWalMode(file);
  return mode;
}

export function inWalMode(file: string): JobsError {
  return new JobsError("io", `${file} is in WAL mode, which does not work on a network file system`, {
    hint: `stop all programs that use it, then run sqlite3 ${file} 'PRAGMA journal_mode = DELETE'`,
  });
}

function notNow(file: string, why: string): JobsError {
  return new JobsError("busy", `${file} ${why}`, {
    hint: "a read-only command cannot recover or open it; try again, or run a job, which can",
  });
}
