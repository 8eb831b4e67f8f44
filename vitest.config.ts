import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { unitTests } from "./test/support/unit-tests.ts";

const unit = unitTests();

/** First line of a test file that waits for syncs, locks and hosts most of its time. */
const mostlyWaits = "// Mostly waits: run beside others.\n";

/** Largest first, as vitest has it, but files that wait early and between others: together they leave the processors idle. */
class WaitsBesideOthers extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const waits = ({ moduleId }: TestSpecification) => readFileSync(moduleId, "utf8").startsWith(mostlyWaits);
    const waiting = sorted.filter(waits);
    const others = sorted.filter((file) => !waiting.includes(file));
    return [...waiting.flatMap((file) => [file, ...others.splice(0, 3)]), ...others];
  }
}

export default defineConfig({
  test: {
    // Tests start processes and wait for them: two files at once left a fifth of two cores idle.
    pool: "forks",
    maxWorkers: 3,
    sequence: { sequencer: WaitsBesideOthers },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    projects: [
      {
        extends: true,
        test: { name: "unit", include: unit, setupFiles: ["test/support/refuse-outside.ts"] },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/**/*.test.ts"],
          exclude: ["**/node_modules/**", ...unit],
          globalSetup: ["test/support/global-setup.ts"],
        },
      },
    ],
  },
});
