/** The options of StrykerJS that all groups share; `scripts/mutation.mjs` adds the group's own. */
export default {
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner", "./scripts/mutation/ignore.mjs"],
  ignorers: ["no-record"],
  vitest: { configFile: "scripts/mutation/vitest.config.mjs", pool: "forks", related: false },
  coverageAnalysis: "perTest",
  concurrency: 1,
  // An empty statement or an empty object in the place of its parameters fails every test at once.
  mutator: { excludedMutations: ["StringLiteral", "ObjectLiteral"] },
  // It would read tsconfig.json with an API that TypeScript 7 does not have.
  tsconfigFile: "none",
  // A busy machine must not make a change look as if it never ended.
  timeoutFactor: 3,
  timeoutMS: 20_000,
  ignorePatterns: ["/docs", "/packages", "/coverage", "/scripts/node", "/scripts/mutation/node_modules"],
  reporters: ["clear-text", "json", "progress-append-only"],
  clearTextReporter: { logTests: false, reportTests: false },
  jsonReporter: { fileName: process.env.MTJOBS_MUTATION_REPORT },
};
