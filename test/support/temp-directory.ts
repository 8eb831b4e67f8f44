import { accessSync, constants, mkdtempSync, realpathSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A file system in memory, on Linux. */
const memory = "/dev/shm";
const enoughBytes = 4 * 2 ** 30;

/**
 * Where tests put their areas: in memory where there is room, for most of a test's time goes into syncing files to
 * disk, and what is tested here is the end of a process, not of the machine's power. TMPDIR says otherwise.
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

/** A directory for the test that calls this, its links resolved; removed after the test, and kept if it failed. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(testRoot(), "mtjobs-test-"));
  onTestFinished(({ task }) => {
    if (task.result?.state !== "fail") rmSync(directory, { recursive: true, force: true });
    else console.error(`kept ${directory}`);
  });
  return directory;
}
