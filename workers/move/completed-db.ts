import Database from "better-sqlite3";
import { JobsError } from "../../shared/errors.ts";
import { adoptSchemas, type SchemaSource, trySchemas } from "../../shared/sqlite/completed-schema.ts";
import { type Connection, commitDurably } from "../../shared/sqlite/connection.ts";

/**
 * completed-runs.db: a full Megatest database made from the schema of megatest.db, with tables of ours
 * (`mtjobs_…`, which Megatest ignores) that say which run stands where.
 */

/**
 * Fills an empty completed-runs.db, or brings it up to the schemas in hand, in one transaction. `assertFitSchemas` says what of them
 * it will not have.
 *
 * @param path completed-runs.db; may be empty, and must exist
 * @param sources databases whose tables and columns it must have, megatest.db first; they must exist
 */
export function ensureCompletedDb(path: string, sources: readonly string[]): void {
  // Not for reading only: a cache in WAL mode is left as it was only by who may write to it.
  const db = new Database(path, { timeout: 1000, fileMustExist: true });
  try {
    db.pragma("foreign_keys = OFF");
    // Never WAL: the file lives on a file system that several hosts share.
    if (db.pragma("journal_mode = DELETE", { simple: true }) !== "delete") {
      throw new JobsError("io", `${path} cannot be taken out of WAL mode`, {
        hint: "close the programs that have it open, then run the job again",
      });
    }
    commitDurably(db, "main", path);
    adoptSchemas(db, attachAll(db, sources), () => {});
  } finally {
    db.close();
  }
}

/** The bytes of a completed-runs.db without a run. */
export function newCompletedDb(sources: readonly string[]): Buffer {
  // Neither this nor what is attached to it is made where it is missing.
  const db = new Database(":memory:", { timeout: 1000, fileMustExist: true });
  try {
    db.pragma("foreign_keys = OFF");
    adoptSchemas(db, attachAll(db, sources), () => {});
    return db.serialize();
  } finally {
    db.close();
  }
}

/** `trySchemas` of the files, before anything is written. */
export function assertFitSchemas(sources: readonly string[], warn: (sentence: string) => void): void {
  // Neither this nor what is attached to it is made where it is missing.
  const db = new Database(":memory:", { timeout: 1000, fileMustExist: true });
  try {
    trySchemas(attachAll(db, sources), warn);
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
