import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JobsError, systemCode } from "../errors.ts";
import { namesAnotherFile } from "./journal.ts";
import { openSqlite } from "./library.ts";

export interface ExpectedFile {
  /** Its owner, or one of these. */
  uid: number | readonly number[];
  /** Of it and each file next to it. */
  maxBytes: number;
  /** The database may have other names, as in a backup by hard links. */
  mayBeLinked?: boolean;
}

export interface PrivateCopy {
  /** In rollback mode, without sidecar files, in a private directory. */
  file: string;
  /** Call after closing all connections. */
  remove(): void;
}

/**
 * Copies a database from a directory where another user may write. SQLite never opens the original: it would roll
 * back a planted journal, and remove the file named there as super-journal. Each file must be a regular file of that
 * owner with one name and within the size limit; it is opened without following links or blocking. A dead writer's
 * journal is rolled back in the copy. Not for a database that this process may have open: closing a descriptor drops
 * SQLite's locks.
 *
 * @throws JobsError `not-owner` if a check fails; `busy` while it is being written to; `corrupt` if its journal names
 *   another file; `disk-full`; `io`
 */
export function copyPrivately(path: string, expected: ExpectedFile): PrivateCopy {
  const copy = placeForCopy();
  try {
    copyTo(copy.file, path, expected);
    return copy;
  } catch (error) {
    copy.remove();
    throw error;
  }
}

/** Makes a private directory for a copy, which is not there yet. */
export function placeForCopy(): PrivateCopy {
  const directory = mkdtempSync(join(tmpdir(), "mtjobs-copy-"));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  return { file: join(directory, "copy.db"), remove };
}

/** `copyPrivately` to the file of `placeForCopy`; may be repeated. */
export function copyTo(file: string, path: string, expected: ExpectedFile): void {
  for (let left = 3; !copyAtRest(path, file, expected); left--) {
    if (left === 1) throw new JobsError("busy", `${path} is being written to`);
  }
  settle(file);
}

interface Source {
  suffix: string;
  fd: number;
  stat: BigIntStats;
}

/** Two writes this close may have the same time, ms. */
const tickMs = 20;

function pauseForTick(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * tickMs);
}

const suffixes = ["", "-journal", "-wal"] as const;

/** Returns false if a file was written to during the copy. */
function copyAtRest(path: string, file: string, expected: ExpectedFile): boolean {
  const sources: Source[] = [];
  try {
    for (const suffix of suffixes) {
      const source = open(path, suffix, expected);
      if (source !== undefined) sources.push(source);
    }
    if (sources[0]?.suffix !== "") throw new JobsError("io", `${path} no longer exists`);
    // After its pause, every write gives a file another time.
    if (!areRested(sources)) return false;
    // An earlier attempt's journal would be rolled back into this one.
    for (const suffix of suffixes) rmSync(file + suffix, { force: true });
    assertRoom(path, file, sources);
    for (const source of sources) copyBytes(source, file + source.suffix);
    return suffixes.every((suffix) => isAsBefore(path, suffix, sources));
  } finally {
    for (const { fd } of sources) closeSync(fd);
  }
}

/**
 * Returns false if a file was written to during a pause of some ticks. No clock is asked: that of a file server may be
 * ahead of this host's or behind it.
 */
function areRested(sources: readonly Source[]): boolean {
  pauseForTick();
  return sources.every(({ fd, stat }) => isSame(fstatSync(fd, { bigint: true }), stat));
}

function open(path: string, suffix: string, expected: ExpectedFile): Source | undefined {
  const name = path + suffix;
  // Opening some devices has effects, and closing an own file drops its locks.
  const before = lstatSync(name, { bigint: true, throwIfNoEntry: false });
  // A file that is being removed may still be found, with no link left.
  if (before === undefined || before.nlink === 0n) return undefined;
  const asked = { ...expected, mayBeLinked: suffix === "" && expected.mayBeLinked === true };
  assertTheirs(name, before, asked);
  const { O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
  let fd: number;
  try {
    fd = openSync(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const stat = fstatSync(fd, { bigint: true });
    // Its writer removed it since the check.
    if (stat.nlink === 0n) {
      closeSync(fd);
      return undefined;
    }
    assertTheirs(name, stat, asked);
    return { suffix, fd, stat };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function assertTheirs(name: string, stat: BigIntStats, expected: ExpectedFile): void {
  const problem = problemOf(stat, expected);
  if (problem === undefined) return;
  throw new JobsError("not-owner", `${name} ${problem}`, { hint: "check who created it; it was not read" });
}

function problemOf(
  stat: BigIntStats,
  { uid, maxBytes, mayBeLinked = false }: ExpectedFile,
): string | undefined {
  const uids = [uid].flat();
  if (!stat.isFile()) return "is not a regular file";
  if (!uids.includes(Number(stat.uid)))
    return `belongs to user ${stat.uid}, not to ${[...new Set(uids)].join(" or ")}`;
  if (stat.nlink !== 1n && !mayBeLinked) return "has another hard link";
  if (stat.size > BigInt(maxBytes))
    return `is larger than ${maxBytes} bytes, the limit for a cache of the area`;
  return undefined;
}

function assertRoom(path: string, file: string, sources: readonly Source[]): void {
  const { bavail, bsize } = statfsSync(join(file, ".."));
  const needed = sources.reduce((sum, { stat }) => sum + Number(stat.size), 0);
  // For rolling back.
  if (bavail * bsize >= 2 * needed) return;
  throw new JobsError("disk-full", `not enough space in ${tmpdir()} for a copy of ${path}`, {
    hint: `free ${2 * needed} bytes there, or set TMPDIR`,
  });
}

const bufferBytes = 1024 * 1024;

function copyBytes({ suffix, fd, stat }: Source, target: string): void {
  if (suffix === "-journal" && !isHot(fd)) return;
  const buffer = Buffer.allocUnsafe(bufferBytes);
  const to = openSync(target, "wx", 0o600);
  try {
    for (let at = 0; at < Number(stat.size); ) {
      const read = readSync(fd, buffer, 0, Math.min(bufferBytes, Number(stat.size) - at), at);
      if (read === 0) break; // truncated; the final check detects it
      for (let written = 0; written < read; ) written += writeSync(to, buffer, written, read - written);
      at += read;
    }
  } finally {
    closeSync(to);
  }
}

/** SQLite zeroes the header of a journal that it keeps. */
function isHot(fd: number): boolean {
  const first = Buffer.alloc(1);
  return readSync(fd, first, 0, 1, 0) === 1 && first[0] !== 0;
}

function isAsBefore(path: string, suffix: string, sources: readonly Source[]): boolean {
  const source = sources.find((one) => one.suffix === suffix);
  const now = lstatSync(path + suffix, { bigint: true, throwIfNoEntry: false });
  if (source === undefined) return now === undefined;
  return now !== undefined && isSame(now, source.stat);
}

function isSame(now: BigIntStats, stat: BigIntStats): boolean {
  return (
    now.ino === stat.ino && now.dev === stat.dev && now.size === stat.size && now.ctimeNs === stat.ctimeNs
  );
}

function settle(file: string): void {
  if (namesAnotherFile(`${file}-journal`)) {
    throw new JobsError("corrupt", "its journal names another file, which SQLite would remove", {
      hint: "check who created it; nothing was opened",
    });
  }
  const db = openSqlite(file, { fileMustExist: true, timeout: 0 });
  try {
    db.pragma("trusted_schema = OFF");
    db.pragma("locking_mode = EXCLUSIVE");
    db.pragma("journal_mode = DELETE");
    db.prepare("SELECT count(*) FROM sqlite_schema").get();
  } finally {
    db.close();
  }
}
