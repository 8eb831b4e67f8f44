import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { isRoot } from "../area/as-user.ts";

/** Returns mount's exit code. */
export function mount(...args: string[]): number | null {
  return spawnSync("mount", args).status;
}

/** Returns true if this process may mount; root in a container may not. */
export function mayMount(): boolean {
  if (!isRoot || process.platform !== "linux") return false;
  const probe = mkdtempSync(join(tmpdir(), "mtjobs-mount-"));
  try {
    const mounted = mount("-t", "tmpfs", "-o", "size=1m", "mtjobs-test", probe) === 0;
    if (mounted) spawnSync("umount", [probe]);
    return mounted;
  } finally {
    rmdirSync(probe);
  }
}

/** Mounts a file system of `megabytes` in memory until the test ends. */
export function mountSmall(directory: string, megabytes: number): void {
  mountFor(directory, megabytes);
  onTestFinished(() => unmount(directory));
}

/** Does the same for a caller that unmounts it. */
export function mountFor(directory: string, megabytes: number): void {
  mkdirSync(directory, { recursive: true });
  expect(mount("-t", "tmpfs", "-o", `size=${megabytes}m`, "mtjobs-test", directory)).toBe(0);
}

/** Also works while a process has files open in it: they disappear with the process. */
export function unmount(directory: string): void {
  spawnSync("umount", ["--lazy", directory]);
}

export function unmountAll(directory: string): void {
  for (let mounts = 0; mounts < 8; mounts++)
    if (spawnSync("umount", ["--lazy", directory], { stdio: "ignore" }).status !== 0) return;
}

/** Fills the file system except for `kilobytes`. Returns a function that frees the space. */
export function fillBut(directory: string, kilobytes: number): () => void {
  const ballast = join(directory, "ballast");
  const { bavail, bsize } = statfsSync(directory);
  try {
    writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - kilobytes * 1024)));
  } catch (error) {
    // Another process has written meanwhile: then it is full.
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
  return () => rmSync(ballast);
}

/**
 * Makes files opened from now on read-only. Permissions do not bind root, which mounts the directory read-only on
 * itself. Returns a function that reverts it.
 */
export function makeReadOnly(directory: string): () => void {
  if (!isRoot) {
    chmodSync(directory, 0o555);
    return () => chmodSync(directory, 0o755);
  }
  for (const args of [
    ["--bind", directory, directory],
    ["-o", "remount,bind,ro", directory],
  ]) {
    expect(mount(...args)).toBe(0);
  }
  return () => unmount(directory);
}
