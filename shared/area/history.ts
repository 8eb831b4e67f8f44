import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { HistoryLine } from "../contract/area-facts.ts";
import { JobsError, systemCode } from "../errors.ts";
import { readFrom } from "../files/read-bounded.ts";
import { syncDirectory } from "../files/sync-directory.ts";
import type { Area } from "./area.ts";
import { createLike, ensurePrivateDir } from "./ownership.ts";

/**
 * Appends a line durably. Returns false if the job already has one. Only under the area's lease: concurrent appends
 * over NFS may overwrite each other.
 */
export function appendHistory(area: Area, line: HistoryLine): boolean {
  ensurePrivateDir(area);
  const path = historyFile(area);
  createLike(path, area.megatestDb);
  const fd = openHistory(path, constants.O_RDWR | constants.O_APPEND);
  try {
    if (findJobs(fd, [line.jobId]).size > 0) return false;
    const { size } = fstatSync(fd);
    // After a torn line, which readers skip.
    const start = size === 0 || readFrom(fd, size - 1, 1).toString() === "\n" ? "" : "\n";
    const bytes = Buffer.from(`${start}${JSON.stringify(line)}\n`);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  syncDirectory(area.privateDir);
  return true;
}

/** Returns the last `limit` lines, oldest first. */
export function readHistory(area: Area, { limit }: { limit: number }): HistoryLine[] {
  return withHistory(area, [], (fd) => {
    const found: HistoryLine[] = [];
    if (limit > 0) {
      for (const bytes of linesFromEnd(fd)) {
        const line = parseLine(bytes);
        if (line !== undefined && found.push(line) >= limit) break;
      }
    }
    return found.reverse();
  });
}

/** Visits lines, last first, until `visit` returns false. @param visit gets the bytes of the line, too */
export function scanHistory(area: Area, visit: (line: HistoryLine, bytes: number) => boolean): void {
  withHistory(area, undefined, (fd) => {
    for (const bytes of linesFromEnd(fd)) {
      const line = parseLine(bytes);
      if (line !== undefined && !visit(line, bytes.length)) return;
    }
  });
}

/** Returns the first line that can be read near the beginning. */
export function firstInHistory(area: Area): HistoryLine | undefined {
  return withHistory(area, undefined, (fd) => {
    const piece = readFrom(fd, 0, Math.min(fstatSync(fd).size, 4 * pieceBytes));
    for (const text of piece.toString("utf8").split("\n")) {
      const line = parseLine(Buffer.from(text));
      if (line !== undefined) return line;
    }
    return undefined;
  });
}

export function jobsInHistory(area: Area, jobIds: readonly string[]): Set<string> {
  return jobIds.length === 0 ? new Set() : withHistory(area, new Set(), (fd) => findJobs(fd, jobIds));
}

function findJobs(fd: number, jobIds: readonly string[]): Set<string> {
  const wanted = new Set(jobIds);
  const found = new Set<string>();
  // Parse only lines that contain an id.
  const signs = jobIds.map((jobId) => Buffer.from(JSON.stringify(jobId)));
  for (const bytes of linesFromEnd(fd)) {
    if (!signs.some((sign) => bytes.includes(sign))) continue;
    const { jobId } = parseLine(bytes) ?? {};
    if (jobId !== undefined && wanted.has(jobId) && found.add(jobId).size === wanted.size) break;
  }
  return found;
}

function withHistory<T>(area: Area, none: T, read: (fd: number) => T): T {
  let fd: number;
  try {
    fd = openHistory(historyFile(area), constants.O_RDONLY);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return none;
    throw error;
  }
  try {
    return read(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Checks before a job begins that it can append its line at its end. Changes nothing.
 *
 * @throws JobsError `not-an-area`, `not-owner`
 */
export function assertWritableHistory(area: Area): void {
  assertPlainHistory(area);
  const path = historyFile(area);
  try {
    if (existsSync(path)) closeSync(openHistory(path, constants.O_RDWR | constants.O_APPEND));
    else if (existsSync(area.privateDir)) accessSync(area.privateDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = systemCode(error);
    if (!["EACCES", "EPERM", "EROFS"].includes(code)) throw error;
    throw new JobsError("not-owner", `${path} cannot be written (${code}), and each job adds a line to it`, {
      hint: "make the file and its directory writable for the user of the jobs; look at their owner and mode, at lsattr, and whether the file system is mounted read-only",
      details: { path },
      cause: error,
    });
  }
}

/** @throws JobsError `not-an-area` if the history is something other than a file */
export function assertPlainHistory(area: Area): void {
  const path = historyFile(area);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.isFile()) return;
  throw new JobsError("not-an-area", `${path} is not a regular file`, {
    hint: "check who created it, then move it away; the next job creates it",
  });
}

export function historyFile(area: Pick<Area, "privateDir">): string {
  return join(area.privateDir, "history.jsonl");
}

function openHistory(path: string, flags: number): number {
  const fd = openSync(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new JobsError("corrupt", `${path} is not a regular file`);
}

const pieceBytes = 64 * 1024;

/** Maximum bytes of a line; a longer one is damage, and nothing before it is read. Normal ones have some kB. */
const longestLine = 64 * 1024 * 1024;

/** Yields the lines of a file, last first. */
function* linesFromEnd(fd: number): Generator<Buffer> {
  /** Pieces of an incomplete line, last first. */
  let pieces: Buffer[] = [];
  let length = 0;
  for (let end = fstatSync(fd).size; end > 0 && length <= longestLine; ) {
    const from = Math.max(0, end - pieceBytes);
    let piece = readFrom(fd, from, end - from);
    end = from;
    for (let at = piece.lastIndexOf(newline); at >= 0; at = piece.lastIndexOf(newline)) {
      yield Buffer.concat([piece.subarray(at + 1), ...pieces.reverse()]);
      [pieces, length] = [[], 0];
      piece = piece.subarray(0, at);
    }
    pieces.push(piece);
    length += piece.length;
  }
  if (length <= longestLine) yield Buffer.concat(pieces.reverse());
}

const newline = 10;

function parseLine(bytes: Buffer): HistoryLine | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return isHistoryLine(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isHistoryLine(value: unknown): value is HistoryLine {
  return typeof value === "object" && value !== null && "jobId" in value && typeof value.jobId === "string";
}
