import { JobsError } from "../../../shared/errors.ts";
import type { Part } from "../../../shared/sqlite/connection.ts";
import { isNotUnderstood } from "../../../shared/sqlite/site-schema.ts";
import { connect, type Files } from "../../area-db/databases.ts";
import { assertFenceToken } from "../../area-db/fence.ts";

/** A database to vacuum, by the job with this token. Plain data, to be sent to a thread. */
export interface Vacuum {
  files: Files;
  part: Part;
  token: number;
}

/** Rewrites a file without its free pages. Throws `busy` unless the lock is free. */
export function vacuum({ files, part, token }: Vacuum): void {
  const db = connect(files, [part]);
  try {
    db.pragma("busy_timeout = 0");
    assertFenceToken(db, part, token, Date.now());
    try {
      db.exec(`VACUUM ${part}`);
    } catch (error) {
      // A vacuum rebuilds every table and index.
      if (!isNotUnderstood(error)) throw error;
      throw new JobsError("unknown-schema", `SQLite cannot rebuild its schema: ${error.message}`);
    }
    // In WAL mode the smaller file is only in the log until then.
    db.pragma(`${part}.wal_checkpoint(TRUNCATE)`);
  } finally {
    db.close();
  }
}
