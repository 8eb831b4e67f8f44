import {
  type Connection,
  openConnection,
  openReadonlyConnection,
  type Part,
} from "../../shared/sqlite/connection.ts";
import { hasHotJournal, walBytes } from "../../shared/sqlite/journal.ts";
import { busyTimeoutMs } from "./databases.ts";

/**
 * Opens databases of an area for reading. Nothing is written but the rollback of a dead writer's journal, which needs
 * a connection that may write. So does a cache that may be in WAL mode without a log: a read-only connection would
 * leave its log behind. With a log the connection must be read-only: closing a writable one checkpoints the log, and
 * the cache would look newer than it is.
 */
export function openReadonly(files: Partial<Record<Part, string>>): Connection {
  const all = Object.values(files);
  const mayBeWal = files.cache !== undefined || files.ref !== undefined;
  const readonly = (!mayBeWal || all.some((file) => walBytes(file) > 0)) && !all.some(hasHotJournal);
  const db = (readonly ? openReadonlyConnection : openConnection)(files, { busyTimeoutMs });
  db.pragma("query_only = ON");
  return db;
}

/**
 * Keeps a cache open for reading until the returned function is called. The last writable connection to close a cache
 * checkpoints its log, which makes it look newer than megatest.db and hides a due refill; this prevents any other
 * close from being the last.
 */
export function keepWal({ cache }: { cache?: string | undefined }): () => void {
  if (cache === undefined) return () => {};
  const reader = openReadonly({ cache });
  try {
    reader.prepare("SELECT count(*) FROM cache.sqlite_schema").get();
  } catch (error) {
    reader.close();
    throw error;
  }
  return () => void reader.close();
}
