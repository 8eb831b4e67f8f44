import { closeSync, constants, fsyncSync, lstatSync, openSync, unlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { JobsError, toJobsError } from "../../shared/errors.ts";

/** Pages in one step: some MiB, so that a signal is heard soon. */
const step = 2_000;

/** For how long a copy waits for a reader or writer of either file before it gives up, in ms. */
const patienceMs = 30_000;

/**
 * Copies a database with SQLite's backup: a consistent state of `from`, whoever has it open, into `to`, a file that is there
 * and whose content is replaced in place in one transaction, whoever has it open.
 *
 * @throws JobsError `busy` where somebody keeps either file locked; `disk-full`, `io`; the signal's reason
 */
export async function copyDatabase(from: string, to: string, signal: AbortSignal): Promise<void> {
  const source = new Database(from, { fileMustExist: true, timeout: 1_000 });
  try {
    for (const deadline = performance.now() + patienceMs; ; ) {
      try {
        await copyOnce(source, to, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (toJobsError(error).code !== "busy" || performance.now() > deadline) throw error;
        await sleep(50);
      }
    }
  } finally {
    source.close();
  }
}

/** @throws JobsError `busy` where a step met a lock */
async function copyOnce(source: Database.Database, to: string, signal: AbortSignal): Promise<void> {
  const target = inodeOf(to);
  if (target === undefined) throw notThere(to);
  let left = Number.POSITIVE_INFINITY;
  const { totalPages } = await source.backup(to, {
    progress: ({ remainingPages }) => {
      signal.throwIfAborted();
      assertSame(to, target);
      // A step that met a lock copied nothing; so did one that began anew, after a write to the source.
      if (remainingPages >= left) throw busy(source.name, to);
      left = remainingPages;
      return step;
    },
  });
  // better-sqlite3 takes a first step that met a lock, and so knows of no page yet, for the end.
  if (totalPages === 0) throw busy(source.name, to);
}

function busy(from: string, to: string): JobsError {
  return new JobsError(
    "busy",
    `${from} cannot be copied to ${to}: another process keeps one of them locked`,
    {
      hint: "find the process that uses it; wait for it, or end it. The migration is retried automatically",
    },
  );
}

/** Device and inode of a regular file; undefined for anything else. */
function inodeOf(path: string): string | undefined {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat?.isFile() === true ? `${stat.dev}:${stat.ino}` : undefined;
}

/** SQLite's backup makes a target that vanished since it was looked at: what it began there goes. */
function assertSame(to: string, target: string): void {
  const now = inodeOf(to);
  if (now === target) return;
  if (now !== undefined && lstatSync(to).size === 0) unlinkSync(to);
  throw notThere(to);
}

const notThere = (file: string) =>
  new JobsError("io", `${file} is missing or not a regular file`, {
    hint: "check what else writes to that directory; nothing was created there",
  });

/**
 * Gives a database that nobody else has open the size of pages that `target` has, if that is in WAL mode: such a database keeps
 * its size, and SQLite's backup into it fails (SQLITE_READONLY), however often it is tried.
 */
export function takePageSize(file: string, target: string): void {
  const size = walPageSize(target);
  if (size === undefined) return;
  const db = new Database(file, { fileMustExist: true, timeout: 1_000 });
  try {
    if (db.pragma("page_size", { simple: true }) === size) return;
    // It takes effect with the vacuum, in rollback mode alone.
    db.pragma(`page_size = ${size}`);
    db.exec("VACUUM");
  } finally {
    db.close();
  }
}

/** Undefined for a database that is not in WAL mode. */
function walPageSize(path: string): number | undefined {
  const db = new Database(path, { fileMustExist: true, timeout: 1_000 });
  try {
    const isWal = db.pragma("journal_mode", { simple: true }) === "wal";
    return isWal ? Number(db.pragma("page_size", { simple: true })) : undefined;
  } finally {
    db.close();
  }
}

/**
 * Takes a database that nobody else has open out of WAL mode, as SQLite's backup keeps the mode of its source: on a network
 * file system, and for its only file to be all of it.
 */
export function leaveWal(file: string): void {
  const db = new Database(file, { fileMustExist: true, timeout: 1_000 });
  try {
    // Without it, opening in WAL mode makes a file of shared memory beside.
    db.pragma("locking_mode = EXCLUSIVE");
    if (db.pragma("journal_mode = DELETE", { simple: true }) !== "delete") {
      throw new JobsError("io", `${file} cannot be taken out of WAL mode`);
    }
  } finally {
    db.close();
  }
}

/**
 * Makes the content of a file durable. Never for a database that a connection of this process may have open: closing any
 * descriptor of it drops the locks that SQLite holds on it.
 */
export function syncFile(path: string): void {
  const fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
