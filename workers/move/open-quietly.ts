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

/**
 * Has a cache open for reading until the function returned is called. Who may write and closes a cache last puts its log into
 * it, which then looks newer than megatest.db, and hides a refill that is due: so no other close is the last one.
 */
export function keepLog({ cache }: { cache?: string | undefined }): () => void {
  if (cache === undefined) return () => {};
  const reader = openQuietly({ cache });
  try {
    reader.prepare("SELECT count(*) FROM cache.sqlite_schema").get();
  } catch (error) {
    reader.close();
    throw error;
  }
  return () => void reader.close();
}
