import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type Database from "better-sqlite3";
import { checkOwnDatabase, checkOwnDirectory } from "../../../shared/area/own-path.ts";
import { JobsError, systemCode, toJobsError } from "../../../shared/errors.ts";
import { makeDirectory } from "../../../shared/files/sync-directory.ts";
import type { Settings } from "../../../shared/settings/settings.ts";
import { openSqlite } from "../../../shared/sqlite/library.ts";

/** How long to wait for another worker of this host, ms. */
const patienceMs = 5_000;

/**
 * Runs `body` with exclusive access, on this host, to pairs' files. A paused process keeps others out; a killed one
 * does not. Check the token inside: another worker may have taken over.
 *
 * @throws JobsError `busy` after 5 s; `not-owner` if a directory on the path is a link or another user's
 */
export async function withPairGuard<T>(
  settings: Settings,
  body: () => Promise<T>,
  waitMs = patienceMs,
): Promise<T> {
  const directory = ensureCacheDirectory(settings);
  const db = openSqlite(ensureGuard(directory, settings), { timeout: 25, fileMustExist: true });
  try {
    await begin(db, directory, waitMs);
    return await body();
  } finally {
    // Rolls back; nothing was written.
    db.close();
  }
}

/** Creates the guard's file. Never opens an existing one: SQLite may hold a lock on it in this process. */
function ensureGuard(directory: string, settings: Settings): string {
  const file = join(directory, ".mtjobs-guard.db");
  try {
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;
    closeSync(openSync(file, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR, 0o644));
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
  checkOwnDatabase(settings, file);
  return file;
}

async function begin(db: Database.Database, directory: string, waitMs: number): Promise<void> {
  for (const deadline = performance.now() + waitMs; ; ) {
    try {
      db.exec("BEGIN EXCLUSIVE");
      return;
    } catch (error) {
      if (toJobsError(error).code !== "busy") throw error;
      if (performance.now() > deadline) {
        throw new JobsError("busy", `another process is using the caches in ${directory}`, {
          cause: error,
          hint: "wait until it has ended; if it hangs, end it",
        });
      }
      await sleep(50);
    }
  }
}

/** Creates the directory of this user's caches. */
export function ensureCacheDirectory({ cacheRoot, user }: Settings, ...below: readonly string[]): string {
  let path = cacheRoot;
  mkdirSync(path, { recursive: true, mode: 0o755 });
  for (const name of [user, "megatest_localdb", ...below]) {
    path = join(path, name);
    makeDirectory(path, 0o755);
    // /tmp is world-writable.
    checkOwnDirectory({ cacheRoot, user }, path);
  }
  return path;
}
