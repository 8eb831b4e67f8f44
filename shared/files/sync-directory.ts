import { closeSync, fsyncSync, mkdirSync, openSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { systemCode } from "../errors.ts";

/** Errors of file systems without fsync of a directory. */
const unknown = ["EINVAL", "ENOTSUP", "ENOSYS"];

/**
 * Makes changed names in a directory durable. Without support for fsync the server writes names through. Skips an
 * unreadable directory, as /tmp may be, like SQLite.
 */
export function syncDirectory(path: string): void {
  try {
    trySync(path);
  } catch (error) {
    if (systemCode(error) !== "EACCES") throw error;
  }
}

/** By device and type, since device numbers are reused. */
const known = new Map<string, boolean>();

/** Returns false if names are assumed to be written through; true if unknown. */
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

/** Creates a directory durably; also syncs an existing one, whose creator may have died before its sync. */
export function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
  syncDirectory(dirname(path));
}
