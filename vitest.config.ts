import { defineConfig } from "vitest/config";
import { unitTests } from "./test/support/unit-tests.ts";

const unit = unitTests();

export default defineConfig({
  test: {
    // Tests start processes and servers of their own: more files at once only makes two cores time out.
    pool: "forks",
    maxWorkers: 2,
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
