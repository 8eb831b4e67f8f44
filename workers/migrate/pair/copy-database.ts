import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type Database from "better-sqlite3";
import type { CachePair } from "../../../shared/area/cache/cache.ts";
import { createNewLike } from "../../../shared/area/ownership.ts";
import { JobsError, toJobsError } from "../../../shared/errors.ts";
import { syncDirectory } from "../../../shared/files/sync-directory.ts";
import { openSqlite } from "../../../shared/sqlite/library.ts";

/** Pages copied at once: few enough that an abort takes effect soon. */
const pagesAtOnce = 2_000;

/** How long a copy waits for a reader or writer of either file, ms. */
const patienceMs = 30_000;

/**
 * Copies a consistent state of `from` with SQLite's backup, replacing the content of the existing file `to` in one
 * transaction. Either may be open elsewhere.
 *
 * @throws JobsError `busy` if another process keeps either file locked; `disk-full`, `io`; the signal's reason
 */
export async function copyDatabase(from: string, to: string, signal: AbortSignal): Promise<void> {
  const source = openSqlite(from, { fileMustExist: true, timeout: 1_000 });
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

/** @throws JobsError `busy` if a batch of pages found a lock */
async function copyOnce(source: Database.Database, to: string, signal: AbortSignal): Promise<void> {
  const target = inodeOf(to);
  if (target === undefined) throw notThere(to);
  let left = Number.POSITIVE_INFINITY;
  const { totalPages } = await source.backup(to, {
    progress: ({ remainingPages }) => {
      signal.throwIfAborted();
      assertSame(to, target);
      // No progress: a lock, or a restart after a write to the source.
      if (remainingPages >= left) throw busy(source.name, to);
      left = remainingPages;
      return pagesAtOnce;
    },
  });
  // better-sqlite3 reports completion if the first batch found a lock.
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

function inodeOf(path: string): string | undefined {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat?.isFile() === true ? `${stat.dev}:${stat.ino}` : undefined;
}

/** Checks that the target is the same file; removes an empty one that SQLite's backup recreated. */
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
 * Gives a database that is not open elsewhere the page size of `target` if that is in WAL mode. A WAL target keeps
 * its page size, and SQLite's backup into it fails otherwise (SQLITE_READONLY).
 */
export function matchPageSize(file: string, target: string): void {
  const size = walPageSize(target);
  if (size === undefined) return;
  const db = openSqlite(file, { fileMustExist: true, timeout: 1_000 });
  try {
    if (db.pragma("page_size", { simple: true }) === size) return;
    // Takes effect with the vacuum, only in rollback mode.
    db.pragma(`page_size = ${size}`);
    db.exec("VACUUM");
  } finally {
    db.close();
  }
}

/** Returns undefined unless in WAL mode. */
function walPageSize(path: string): number | undefined {
  const db = openSqlite(path, { fileMustExist: true, timeout: 1_000 });
  try {
    const isWal = db.pragma("journal_mode", { simple: true }) === "wal";
    return isWal ? Number(db.pragma("page_size", { simple: true })) : undefined;
  } finally {
    db.close();
  }
}

/**
 * Takes a database that is not open elsewhere out of WAL mode, which SQLite's backup copies: the copy must be a
 * single file and usable on a network file system.
 */
export function setRollbackJournal(file: string): void {
  const db = openSqlite(file, { fileMustExist: true, timeout: 1_000 });
  try {
    // Avoids a shared-memory file.
    db.pragma("locking_mode = EXCLUSIVE");
    if (db.pragma("journal_mode = DELETE", { simple: true }) !== "delete") {
      throw new JobsError("io", `${file} cannot be taken out of WAL mode`);
    }
  } finally {
    db.close();
  }
}

/**
 * Makes the content of a file durable. Not for a database that this process may have open: closing any descriptor of
 * it drops SQLite's locks on it.
 */
export function syncFile(path: string): void {
  const fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

export interface SnapshotOptions {
  pair: CachePair;
  /** `.mtjobs/migration/<token>` of the area; must exist. */
  directory: string;
  /** Token of the current step, so that an overtaken one writes under another name. */
  stepToken: number;
  /** File whose owner and mode the snapshot gets. */
  model: string;
  signal: AbortSignal;
}

export const snapshotNames = { cache: "cache.db", ref: "ref.db" } as const;

/** Copies a closed pair durably to the area. Returns the sizes in bytes. May be repeated. */
export async function writeSnapshot(o: SnapshotOptions): Promise<Partial<Record<"cache" | "ref", number>>> {
  const files = { cache: o.pair.megatestDb, ref: o.pair.refDb };
  const sizes: Partial<Record<"cache" | "ref", number>> = {};
  for (const part of ["cache", "ref"] as const) {
    const target = join(o.directory, snapshotNames[part]);
    const from = files[part];
    if (from !== undefined) sizes[part] = await copyAside({ ...o, from, target });
  }
  return sizes;
}

interface Copying extends Pick<SnapshotOptions, "stepToken" | "model" | "signal"> {
  from: string;
  target: string;
}

/** Copies a database to a temporary file, makes it durable and renames it. Returns its size in bytes. */
export async function copyAside({ from, target, stepToken, model, signal }: Copying): Promise<number> {
  const temporary = `${target}.${stepToken}.tmp`;
  const remove = () => {
    for (const suffix of ["", "-journal"]) rmSync(temporary + suffix, { force: true });
  };
  // Left by this step's earlier attempt.
  remove();
  try {
    createNewLike(temporary, model);
    await copyDatabase(from, temporary, signal);
    setRollbackJournal(temporary);
    syncFile(temporary);
    renameSync(temporary, target);
  } catch (error) {
    remove();
    throw error;
  }
  syncDirectory(join(target, ".."));
  return statSync(target).size;
}
