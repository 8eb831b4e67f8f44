import { type Connection, openConnection, openToLook, type Part } from "../../shared/sqlite/connection.ts";
import { hasHotJournal, walBytes } from "../../shared/sqlite/journal.ts";
import { busyTimeoutMs } from "./databases.ts";

/**
 * Opens databases of an area for a look. None is written to, but for what a dead writer left in a journal: only a connection that
 * may write can read that. So too a cache that may be in WAL mode with no log beside it: one that may not write leaves behind the
 * log that it makes. Where there is a log it must be one that may not write, for to close one that may puts the log into the
 * database, and the cache would look newer than it is.
 */
export function openQuietly(files: Partial<Record<Part, string>>): Connection {
  const all = Object.values(files);
  const mayBeWal = files.cache !== undefined || files.ref !== undefined;
  const readonly = (!mayBeWal || all.some((file) => walBytes(file) > 0)) && !all.some(hasHotJournal);
  const db = (readonly ? openToLook : openConnection)(files, { busyTimeoutMs });
  db.pragma("query_only = ON");
  return db;
}
