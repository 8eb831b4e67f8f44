import { closeSync, constants, fstatSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { JobsError } from "../errors.ts";
import type { Area } from "./area.ts";
import { createLike, ensurePrivateDir } from "./ownership.ts";
import { readFrom } from "./read-bounded.ts";
import { syncDirectory } from "./sync-directory.ts";
import { systemCode } from "./system-code.ts";

/** One finished job: plain JSON, keyed by its id. */
export interface HistoryLine {
  jobId: string;
  [member: string]: unknown;
}

/**
 * Adds a line to `.mtjobs/history.jsonl` and makes it durable. Returns false where the job's line is there already.
 * Only under the area's lease: over NFS two appends at once may overwrite each other.
 */
export function appendHistory(area: Area, line: HistoryLine): boolean {
  ensurePrivateDir(area);
  const path = historyFile(area);
  createLike(path, area.megatestDb);
  const fd = openHistory(path, constants.O_RDWR | constants.O_APPEND);
  try {
    if (findJobs(fd, [line.jobId]).size > 0) return false;
    const { size } = fstatSync(fd);
    // After a torn line, begin a new one: the torn one is skipped, ours is not lost with it.
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

/** The last `limit` lines, oldest first; none where there is no history. Torn lines are skipped. */
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

/** Those of the jobs that have a line, however long ago it was written. */
export function jobsInHistory(area: Area, jobIds: readonly string[]): Set<string> {
  return jobIds.length === 0 ? new Set() : withHistory(area, new Set(), (fd) => findJobs(fd, jobIds));
}

function findJobs(fd: number, jobIds: readonly string[]): Set<string> {
  const wanted = new Set(jobIds);
  const found = new Set<string>();
  // Few lines hold the bytes of an id: only those are parsed.
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

function historyFile(area: Area): string {
  return join(area.privateDir, "history.jsonl");
}

function openHistory(path: string, flags: number): number {
  const fd = openSync(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new JobsError("corrupt", `${path} is not a regular file`);
}

/** Bytes read at once, from the end on. */
const pieceBytes = 64 * 1024;

/** Bytes without a line's end that are no line any more, but damage: what is before them is not read. Ours have some kB. */
const longestLine = 64 * 1024 * 1024;

/** The lines of a file, the last one first, without their ends. */
function* linesFromEnd(fd: number): Generator<Buffer> {
  /** What is known of the line whose beginning was not reached yet, its last piece first. */
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

/** Undefined for what is torn, or no line of ours. */
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
