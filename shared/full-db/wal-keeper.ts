import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import Database from "better-sqlite3";
import { userText } from "../area/user-name.ts";
import { JobsError } from "../errors.ts";
import type { Connection } from "../sqlite/connection.ts";

/**
 * Opening a database in WAL mode that nobody has open makes its log and index, and only a connection that may write
 * takes them away again. So beside the read-only connection that answers queries one stands that may write and runs
 * no statement of anybody's: closed last, it leaves the directory as it was.
 *
 * @returns undefined where none is needed: no WAL, or one that is there already and stays
 * @throws {JobsError} `not-owner` for a database of another user, whom files of ours would lock out
 */
export function keepLog(file: string): Connection | undefined {
  if (!usesWal(file) || existsSync(`${file}-wal`)) return undefined;
  const owner = statSync(file).uid;
  const user = process.geteuid?.() ?? 0;
  if (user !== 0 && user !== owner) {
    throw new JobsError("not-owner", `${file} is in WAL mode and belongs to ${userText(owner)}`, {
      hint: `read it as user ${owner}, or while one of that user's programs has it open`,
    });
  }
  const keeper = new Database(file, { fileMustExist: true });
  keeper.pragma("query_only = ON");
  keeper.prepare("SELECT count(*) FROM sqlite_schema").get();
  return keeper;
}

/** From the header, without SQLite: bytes 18 and 19 are 2 in WAL mode. */
function usesWal(file: string): boolean {
  const fd = openSync(file, "r");
  try {
    const version = Buffer.alloc(2);
    return readSync(fd, version, 0, 2, 18) === 2 && version[0] === 2;
  } finally {
    closeSync(fd);
  }
}
