import { adoptSchemas, emptyCompleted, type SchemaSource } from "../../shared/area-db/completed-schema.ts";
import { JobsError } from "../../shared/errors.ts";
import { type Connection, commitDurably } from "../../shared/sqlite/connection.ts";
import { openSqlite } from "../../shared/sqlite/library.ts";

// completed-runs.db: a full Megatest database made from the schema of megatest.db, with additional tables
// (`mtjobs_…`, which Megatest ignores) for the state of each run.

/**
 * Fills an empty completed-runs.db, or updates it to the current schemas, in one transaction. `assertSchemaFits`
 * reports what it cannot adopt.
 *
 * @param path completed-runs.db; must exist, may be empty
 * @param sources databases whose tables and columns it must have, megatest.db first; they must exist
 */
export function ensureCompletedDb(path: string, sources: readonly string[]): void {
  // Not read-only: only a connection that may write leaves a cache in WAL mode as it was.
  const db = openSqlite(path, { timeout: 1000, fileMustExist: true });
  try {
    db.pragma("foreign_keys = OFF");
    // Never WAL: several hosts share the file system.
    if (db.pragma("journal_mode = DELETE", { simple: true }) !== "delete") {
      throw new JobsError("io", `cannot take ${path} out of WAL mode`, {
        hint: "close the programs that have it open, then run the job again",
      });
    }
    commitDurably(db, "main", path);
    adoptSchemas(db, attachAll(db, sources), () => {});
  } finally {
    db.close();
  }
}

/** Returns the bytes of a completed-runs.db without runs. */
export function newCompletedDb(sources: readonly string[]): Buffer {
  // `fileMustExist`: attached files are not created either.
  const db = openSqlite(":memory:", { timeout: 1000, fileMustExist: true });
  try {
    return emptyCompleted(attachAll(db, sources)).bytes;
  } finally {
    db.close();
  }
}

function attachAll(db: Connection, files: readonly string[]): SchemaSource[] {
  return files.map((file, index) => {
    const part = `source${index}`;
    db.prepare(`ATTACH ? AS ${part}`).run(file);
    return { db, part, file };
  });
}
