import { closeSync, fsyncSync, mkdirSync, openSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { systemCode } from "./system-code.ts";

/** What a file system says that knows no fsync of a directory. */
const unknown = ["EINVAL", "ENOTSUP", "ENOSYS"];

/**
 * Makes new, renamed and removed names of a directory durable. Some network file systems know no fsync of a directory;
 * their servers write names through. One that may not be read, as a /tmp may be, cannot be synced: SQLite goes on then, too.
 */
export function syncDirectory(path: string): void {
  try {
    trySync(path);
  } catch (error) {
    if (systemCode(error) !== "EACCES") throw error;
  }
}

/** By device and kind of file system: the same number may stand for another mount later. */
const known = new Map<string, boolean>();

/**
 * False where the file system knows no fsync of a directory: its names are taken to be written through then. True where
 * it cannot be told.
 */
export function canSyncDirectory(path: string): boolean {
  try {
    const key = `${statSync(path).dev} ${statfsSync(path).type}`;
    const answer = known.get(key) ?? trySync(path);
    known.set(key, answer);
    return answer;
  } catch {
    return true;
  }
}

/** @returns false where the file system knows no such thing */
function trySync(path: string): boolean {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
    return true;
  } catch (error) {
    if (unknown.includes(systemCode(error))) return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** `mkdir` whose name is durable once it returns, also where it was made by somebody who died right after. */
export function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
  syncDirectory(dirname(path));
}
