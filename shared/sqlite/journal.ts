import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  statSync,
} from "node:fs";
import { JobsError, systemCode } from "../errors.ts";

/**
 * Returns the mode in a database's header; `foreign` for another file type. Read in another process: closing a
 * descriptor in this one would drop SQLite's locks on it.
 */
export function journalMode(file: string): "wal" | "rollback" | "empty" | "foreign" {
  accessSync(file, constants.R_OK);
  const header = readElsewhere(file, headerBytes);
  if (header.length === 0) return "empty";
  if (header.length < 20 || header.toString("latin1", 0, 16) !== "SQLite format 3\0") return "foreign";
  return header[18] === 2 || header[19] === 2 ? "wal" : "rollback";
}

/** The magic string and the format versions. */
const headerBytes = 20;

/** `head` starts ten times as fast as Node, but a minimal PATH may lack it. */
function readElsewhere(file: string, bytes: number): Buffer {
  const options = { stdio: ["ignore", "pipe", "pipe"] } satisfies ExecFileSyncOptions;
  try {
    return execFileSync("head", ["-c", String(bytes), "--", file], options);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  const read = `const b = Buffer.alloc(${bytes}); const n = fs.readSync(fs.openSync(process.argv[1], "r"), b);
    process.stdout.write(b.subarray(0, n))`;
  // Node cannot start in a removed directory.
  return execFileSync(process.execPath, ["-e", read, "--", file], { ...options, cwd: "/" });
}

/** Opens a journal; undefined if there is none: it may be removed at any moment. SQLite follows no link here either. */
function openJournal(journal: string): number | undefined {
  // Opening a device may have effects.
  if (lstatSync(journal, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  try {
    return openSync(journal, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (["ENOENT", "ELOOP", "ENXIO"].includes(systemCode(error))) return undefined;
    throw error;
  }
}

/** Returns true if a rollback journal is in use, or left by a dead writer, for the next reader to roll back. */
export function hasHotJournal(file: string): boolean {
  const fd = openJournal(`${file}-journal`);
  if (fd === undefined) return false;
  try {
    const first = Buffer.alloc(1);
    return readSync(fd, first, 0, 1, 0) === 1 && first[0] !== 0;
  } finally {
    closeSync(fd);
  }
}

/** Follows the absolute path of a super-journal. */
const superMagic = Buffer.from("d9d505f920a163d7", "hex");

/** Name length, checksum and mark. */
const tailBytes = 16;

/**
 * Returns true if a journal names a super-journal, which SQLite removes when it rolls back, whatever file that is.
 * Transactions of Megatest and mtjobs never span files, so it was planted.
 */
export function namesAnotherFile(journal: string): boolean {
  const fd = openJournal(journal);
  if (fd === undefined) return false;
  try {
    const { size } = fstatSync(fd);
    if (size <= tailBytes) return false;
    const end = Buffer.alloc(tailBytes);
    readSync(fd, end, 0, tailBytes, size - tailBytes);
    const length = end.readUInt32BE(0);
    return end.subarray(8).equals(superMagic) && length > 0 && length <= size - tailBytes;
  } finally {
    closeSync(fd);
  }
}

/** Checks the journal before SQLite opens `file`. @throws JobsError `not-owner` */
export function assertHarmlessJournal(file: string): void {
  const journal = `${file}-journal`;
  if (!namesAnotherFile(journal)) return;
  throw new JobsError("not-owner", `${journal} names another file, which SQLite would remove`, {
    hint: "Megatest never creates such a journal: check who created it, then move it away; nothing was opened",
  });
}

export function walBytes(file: string): number {
  return statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

/** Returns false also for an empty file, which a failure may have left. */
export function isNotEmpty(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0;
}
