import { hostname } from "node:os";
import { JobsError, toJobsError } from "../errors.ts";
import { journalMode } from "../sqlite/journal.ts";
import { type BusyDatabase, holdersOf } from "./busy-holders.ts";

/**
 * `toJobsError` that also names the busy or damaged database and its holders. Sees no locks of other hosts.
 *
 * @param files the files in use
 */
export function nameDatabase(error: unknown, files: readonly string[]): JobsError {
  const mapped = toJobsError(error);
  const known = [...new Set(files)];
  if (mapped === error || known.length === 0) return mapped;
  const code = String((error as { code?: unknown }).code);
  if (mapped.code === "corrupt") return damaged(error, code === "SQLITE_NOTADB" ? foreign(known) : known);
  return code.startsWith("SQLITE_BUSY") ? busy(error, known) : mapped;
}

function damaged(error: unknown, files: readonly string[]): JobsError {
  const which = files.length === 1 ? `${files[0]}` : `one of ${files.join(", ")}`;
  return new JobsError("corrupt", `damaged database: ${which}: ${(error as Error).message}`, {
    cause: error,
    hint: `find the damaged one with PRAGMA integrity_check, and restore it (${files.join(", ")}) from a backup or with sqlite3's .recover; nothing was removed from it`,
    details: { databases: files.map((file) => ({ file })) },
  });
}

/** Returns the files that are not SQLite's; all if none is found. */
function foreign(files: readonly string[]): readonly string[] {
  const found = files.filter((file) => {
    try {
      return journalMode(file) === "foreign";
    } catch {
      return false;
    }
  });
  return found.length > 0 ? found : files;
}

function busy(error: unknown, files: readonly string[]): JobsError {
  const all = files.map((file) => ({ file, holders: holdersOf(file) }));
  const held = all.filter(({ holders }) => holders.length > 0);
  const databases = held.length > 0 ? held : all;
  return new JobsError("busy", `database is busy: ${sentence(databases)}`, {
    cause: error,
    hint: busyHint(held),
    details: { databases },
  });
}

function busyHint(held: readonly BusyDatabase[]): string {
  const pids = [...new Set(held.flatMap(({ holders }) => holders.map(({ pid }) => pid)))];
  const what =
    pids.length === 0
      ? "check on each host which process has it open (fuser FILE); wait for that process, or end it"
      : `wait for process ${pids.join(" and ")}, or end ${pids.length === 1 ? "it" : "them"}`;
  return `${what}, then try again; queued jobs are retried automatically`;
}

function sentence(databases: readonly BusyDatabase[]): string {
  const held = databases.filter(({ holders }) => holders.length > 0);
  if (held.length > 0) return held.map(heldBy).join("; ");
  const files = databases.map(({ file }) => file).join(", or ");
  return `${files}; no visible process on ${hostname()} holds it, so one on another host may`;
}

function heldBy({ file, holders }: BusyDatabase): string {
  const each = holders.map(({ pid, user, command, lock }) => {
    const who = [command, user === undefined ? undefined : `user ${user}`].filter(
      (part) => part !== undefined,
    );
    return `process ${pid} (${who.join(", ")}) on ${hostname()}, which is ${lock}`;
  });
  return `${file} is held by ${each.join(" and ")}`;
}
