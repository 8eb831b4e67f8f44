import { type Connection, openConnection, openToLook, type Part } from "../../shared/sqlite/connection.ts";
import { hasHotJournal, walBytes } from "../../shared/sqlite/journal.ts";
import { busyTimeoutMs } from "./databases.ts";

/**
 * Opens databases that a job may write to, for a look before it does. To close a connection that may write puts what is left
 * in a log into the database, and the cache would look newer than it is; one that may not write cannot read what a dead
 * writer left in a journal, and leaves a log that it made. So each where it does no harm.
 */
export function openQuietly(files: Partial<Record<Part, string>>): Connection {
  const all = Object.values(files);
  const readonly = all.some((file) => walBytes(file) > 0) && !all.some(hasHotJournal);
  const db = (readonly ? openToLook : openConnection)(files, { busyTimeoutMs });
  db.pragma("query_only = ON");
  return db;
}
