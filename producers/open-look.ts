import { existsSync } from "node:fs";
import { JobsError } from "../shared/errors.ts";
import { type Connection, openConnection, openToLook } from "../shared/sqlite/connection.ts";
import { assertHarmlessJournal, hasHotJournal, journalMode, walBytes } from "../shared/sqlite/journal.ts";

/** A database of an area by the part it plays; the name under which it is attached. */
export type Part = "area" | "cache" | "ref" | "completed";

export type Look = Connection;

/** Milliseconds to wait for a database that is being written; then it is reported as busy. */
const patience = 500;

/**
 * Opens databases side by side for looking only: no byte of them changes, and nothing is left beside them. What could
 * only be read by rolling back a journal, or would need a log made beside it, is refused.
 *
 * @throws {JobsError} `busy` where a writer died in one or is at work; `io` where megatest.db or completed-runs.db is in
 *   WAL mode; `not-owner` where a journal names another file, which SQLite might remove; what SQLite throws, where one cannot be opened
 */
export function openLook(files: Partial<Record<Part, string>>): Look {
  const given = Object.entries(files) as [Part, string][];
  if (given.length === 0) throw new TypeError("nothing to look at");
  const modes = new Map(given.map(([part, file]) => [part, assertReadable(part, file)]));
  const inWal = given.filter(([part]) => modes.get(part) === "wal");
  // Closing a connection that may write puts what is left in a log into the database.
  const readonly = inWal.length === 0 || inWal.some(([, file]) => walBytes(file) > 0);
  for (const [, file] of readonly ? inWal : []) {
    // A connection that may not write makes a log that is missing, and leaves it behind.
    if (!existsSync(`${file}-wal`)) throw notNow(file, "is in WAL mode and closed");
  }
  const options = { busyTimeoutMs: patience };
  const db = readonly ? openToLook(files, options) : openConnection(files, options);
  db.pragma("query_only = ON");
  return db;
}

function assertReadable(part: Part, file: string): ReturnType<typeof journalMode> {
  assertHarmlessJournal(file);
  const mode = journalMode(file);
  if (hasHotJournal(file)) throw notNow(file, "has a hot journal: a writer is at work, or died");
  if (mode === "wal" && (part === "area" || part === "completed"))
    throw new JobsError("io", `${file} is in WAL mode, which no file system between hosts bears`, {
      hint: "with everything that uses it ended: sqlite3 FILE 'PRAGMA journal_mode = DELETE'",
    });
  return mode;
}

function notNow(file: string, why: string): JobsError {
  return new JobsError("busy", `${file} ${why}`, {
    hint: "to look only, it is left alone; try again, or run a job, which rolls back what is left",
  });
}
