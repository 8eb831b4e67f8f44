import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";

export const isRoot = process.getuid?.() === 0;

/** Returns mount's exit code. */
export function mount(...args: string[]): number | null {
  return spawnSync("mount", args).status;
}

/** Root in a container may be forbidden to. */
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

/** A file system of its own in memory, of `megabytes`. */
export function mountSmall(directory: string, megabytes: number): void {
  mkdirSync(directory, { recursive: true });
  expect(mount("-t", "tmpfs", "-o", `size=${megabytes}m`, "mtjobs-test", directory)).toBe(0);
  onTestFinished(() => void spawnSync("umount", [directory]));
}
