import { readFileSync, readlinkSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { hostname, userInfo } from "node:os";
import { pathToFileURL } from "node:url";

/** URL of the package.json of this program. */
export const packageJson = pathToFileURL(findPackageJSON(import.meta.url) ?? "");

/**
 * Returns the URL of a file of the build: a program, a thread, or a directory of files to serve. The caller may be
 * part of a bundle or a TypeScript source.
 *
 * @param path relative to dist/
 */
export function builtFile(path: string): URL {
  return new URL(`dist/${path}`, packageJson);
}

/** Returns this process's user; its number if it has no name, as in a container. */
export function currentUser(): { uid: number; username: string } {
  const uid = process.getuid?.() ?? -1;
  try {
    return { uid, username: userInfo().username };
  } catch {
    return { uid, username: String(uid) };
  }
}

/** Identifies the running system and the process namespace: processes with the same value see each other's pids. */
export function processSpace(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}
