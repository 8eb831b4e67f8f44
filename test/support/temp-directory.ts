import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A directory for the test that calls this, its links resolved; removed after the test, and kept if it failed. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), "mtjobs-test-"));
  onTestFinished(({ task }) => {
    if (task.result?.state !== "fail") rmSync(directory, { recursive: true, force: true });
    else console.error(`kept ${directory}`);
  });
  return directory;
}
