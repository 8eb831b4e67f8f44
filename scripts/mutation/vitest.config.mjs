import { relative } from "node:path";
import { defineConfig } from "vitest/config";

/**
 * The tests of the group. StrykerJS has an option `testFiles` for this, with which it makes changes in what a module
 * computes when it is loaded too late (10.1.1).
 */
const include = process.env.MTJOBS_MUTATION_TESTS.split(",");

/** The order of the group: what finds most comes first, since the first test that fails ends the run. */
class AsListed {
  shard(files) {
    return files;
  }

  sort(files) {
    const place = ({ moduleId }) => include.indexOf(relative(process.cwd(), moduleId));
    return files.toSorted((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    pool: "forks",
    include,
    sequence: { sequencer: AsListed },
    setupFiles: ["scripts/mutation/load-first.mjs"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
