import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import { accessSync, closeSync, constants, lstatSync, openSync, readSync, statSync } from "node:fs";
import { systemCode } from "../area/system-code.ts";
import { JobsError } from "../errors.ts";

/**
 * What stands in a database's header: `wal`, `rollback`, `empty` for a file without a byte, `foreign` for one that is
 * no SQLite database. The file is read in another process: to close a descriptor of it in this one would drop the locks
 * that SQLite holds on it here. Throws what the file system or `head` says where it cannot be read.
 */
export function journalMode(file: string): "wal" | "rollback" | "empty" | "foreign" {
  accessSync(file, constants.R_OK);
  const header = readElsewhere(file, headerBytes);
  if (header.length === 0) return "empty";
  if (header.length < 20 || header.toString("latin1", 0, 16) !== "SQLite format 3\0") return "foreign";
  return header[18] === 2 || header[19] === 2 ? "wal" : "rollback";
}

/** As many as hold the mark of SQLite and the versions of the format. */
const headerBytes = 20;

/** The first bytes of a file. `head` starts ten times as fast as Node, but a bare PATH may lack it. */
function readElsewhere(file: string, bytes: number): Buffer {
  const options = { stdio: ["ignore", "pipe", "pipe"] } satisfies ExecFileSyncOptions;
  try {
    return execFileSync("head", ["-c", String(bytes), "--", file], options);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
  }
  const read = `const b = Buffer.alloc(${bytes}); const n = fs.readSync(fs.openSync(process.argv[1], "r"), b);
    process.stdout.write(b.subarray(0, n))`;
  // A directory that is gone keeps Node from starting.
  return execFileSync(process.execPath, ["-e", read, "--", file], { ...options, cwd: "/" });
}

/**
 * True where a writer is at work with a rollback journal, or left one when it died: whoever reads the database next rolls
 * it back. A journal counts once its header is written; SQLite zeroes or removes it when it is done.
 */
export function hasHotJournal(file: string): boolean {
  const path = `${file}-journal`;
  // SQLite follows no link here either; a FIFO would keep whoever opens it waiting.
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const first = Buffer.alloc(1);
    return readSync(fd, first, 0, 1, 0) === 1 && first[0] !== 0;
  } finally {
    closeSync(fd);
  }
}

/** Ends a journal that is one of several, and names, by its absolute path, the file that ties them. */
const superMagic = Buffer.from("d9d505f920a163d7", "hex");

/** The length of the name, a checksum, and the mark. */
const tailBytes = 16;

/**
 * True where a journal names another file, its super-journal, which SQLite removes when it plays the journal back, whatever file
 * that is. Transactions of Megatest's and ours are of one file each: such a journal was made for that file's sake. False
 * where there is no such file, or no regular one.
 */
export function namesAnotherFile(journal: string): boolean {
  const size = lstatSync(journal, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= tailBytes) return false;
  let fd: number;
  try {
    fd = openSync(journal, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return false; // gone by now, or a link, which SQLite follows as little
  }
  try {
    const end = Buffer.alloc(tailBytes);
    readSync(fd, end, 0, tailBytes, size - tailBytes);
    const length = end.readUInt32BE(0);
    return end.subarray(8).equals(superMagic) && length > 0 && length <= size - tailBytes;
  } finally {
    closeSync(fd);
  }
}

/** Ask before SQLite opens the database `file`. @throws JobsError `not-owner` where `namesAnotherFile` of its journal */
export function assertHarmlessJournal(file: string): void {
  const journal = `${file}-journal`;
  if (!namesAnotherFile(journal)) return;
  throw new JobsError("not-owner", `${journal} names another file, which SQLite would remove`, {
    hint: "Megatest never creates such a journal: check who created it, then move it away; nothing was opened",
  });
}

/** Bytes in the write-ahead log; 0 where there is none. */
export function walBytes(file: string): number {
  return statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

/** False for a file that is not there, and for one of 0 bytes: a database without a table, which a failure may have left. */
export function hasContent(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0;
}
