import { accessSync, constants, mkdtempSync, realpathSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A file system in memory, on Linux. */
const memory = "/dev/shm";
const enoughBytes = 4 * 2 ** 30;

/**
 * Returns the root for test areas: in memory if there is space, because most of a test's time is spent on fsync,
 * and these tests end processes, not the machine's power. TMPDIR overrides it.
 */
export function testRoot(): string {
  if (process.env.TMPDIR !== undefined || !hasRoom()) return realpathSync(tmpdir());
  return memory;
}

function hasRoom(): boolean {
  try {
    accessSync(memory, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(memory);
    return bavail * bsize > enoughBytes;
  } catch {
    return false;
  }
}

/** Creates a directory for the calling test, links resolved; removed after the test, but kept if it failed. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(testRoot(), "mtjobs-test-"));
  onTestFinished(({ task }) => {
    if (task.result?.state !== "fail") rmSync(directory, { recursive: true, force: true });
    else console.error(`kept ${directory}`);
  });
  return directory;
}
