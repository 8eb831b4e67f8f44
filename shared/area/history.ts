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

/** How much of the end of the file is looked at. */
const tailBytes = 4 * 1024 * 1024;

/**
 * Adds a line to `.mtjobs/history.jsonl` and makes it durable. Returns false where the job's line is there already
 * (looked for in the last 4 MiB). Only under the area's lease: over NFS two appends at once may overwrite each other.
 */
export function appendHistory(area: Area, line: HistoryLine): boolean {
  ensurePrivateDir(area);
  const path = historyFile(area);
  createLike(path, area.megatestDb);
  const fd = openHistory(path, constants.O_RDWR | constants.O_APPEND);
  try {
    const tail = readTail(fd);
    if (parseLines(tail).some(({ jobId }) => jobId === line.jobId)) return false;
    // After a torn line, begin a new one: the torn one is skipped, ours is not lost with it.
    const start = tail === "" || tail.endsWith("\n") ? "" : "\n";
    const bytes = Buffer.from(`${start}${JSON.stringify(line)}\n`);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  syncDirectory(area.privateDir);
  return true;
}

/** The last `limit` lines, oldest first; none where there is no history. Torn lines are skipped. Reads at most 4 MiB. */
export function readHistory(area: Area, { limit }: { limit: number }): HistoryLine[] {
  let fd: number;
  try {
    fd = openHistory(historyFile(area), constants.O_RDONLY);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
  try {
    return limit > 0 ? parseLines(readTail(fd)).slice(-limit) : [];
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

function readTail(fd: number): string {
  const start = Math.max(0, fstatSync(fd).size - tailBytes);
  return readFrom(fd, start, tailBytes).toString("utf8");
}

function parseLines(text: string): HistoryLine[] {
  return text.split("\n").flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return isHistoryLine(value) ? [value] : [];
    } catch {
      return []; // torn, or cut by the start of the tail
    }
  });
}

function isHistoryLine(value: unknown): value is HistoryLine {
  return typeof value === "object" && value !== null && "jobId" in value && typeof value.jobId === "string";
}
