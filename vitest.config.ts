import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Small files that wait most of their time for syncs, locks and hosts. */
const longWaits =
  /\/(migrate-campaign|migrate-hosts|migrate-workers|migrate-unnoticed|worker-dies|megatest-meanwhile|kill-anywhere|raw-jobs|torture)\.test/;

/** By size, as always, but long waits early, between others: at the end nothing would be left to do beside them. */
class WaitsEarly extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => longWaits.test(moduleId);
    const long = sorted.filter(isLong);
    const others = sorted.filter((file) => !isLong(file));
    return [...long.flatMap((file) => [file, ...others.splice(0, 3)]), ...others];
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "dist*/**"],
    globalSetup: ["test/support/global-setup.ts"],
    // Tests start processes and servers of their own: more files at once only makes two cores time out.
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: WaitsEarly },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
  },
});
