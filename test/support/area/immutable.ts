import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { testRoot } from "./temp-directory.ts";

/** True if files can be made immutable: root, and a file system that knows this (in memory since Linux 6.6). */
export function canMakeImmutable(): boolean {
  const directory = mkdtempSync(join(testRoot(), "mtjobs-immutable-"));
  try {
    chattr("+i", directory);
    chattr("-i", directory);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Makes a file or directory unwritable, also for root, until the test ends. */
export function makeImmutable(path: string): void {
  chattr("+i", path);
  onTestFinished(() => chattr("-i", path));
}

function chattr(change: "+i" | "-i", path: string): void {
  execFileSync("chattr", [change, path], { stdio: "ignore" });
}
