import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import Database from "better-sqlite3";
import { userText } from "../area/user-name.ts";
import { JobsError } from "../errors.ts";
import type { Connection } from "../sqlite/connection.ts";

/**
 * Opens a writable connection to a WAL database that no process has open. Reading it creates log and index, which
 * only a writable connection removes: this one is closed last, and runs no queries.
 *
 * @returns undefined if not needed
 * @throws {JobsError} `not-owner` for another user's database, whose owner the new files would lock out
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

/** Bytes 18 and 19 are 2 in WAL mode. */
function usesWal(file: string): boolean {
  const fd = openSync(file, "r");
  try {
    const version = Buffer.alloc(2);
    return readSync(fd, version, 0, 2, 18) === 2 && version[0] === 2;
  } finally {
    closeSync(fd);
  }
}
