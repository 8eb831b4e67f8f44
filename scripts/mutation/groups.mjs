/**
 * What `npm run mutation` changes, by group: source files, possibly with a range of lines (`file.ts:10-20`), and the
 * files of tests that must notice, first those that find most.
 */
export const groups = {
  fence: {
    mutate: ["workers/area-db/fence.ts", "workers/area-db/database-session.ts:57-85"],
    tests: [
      "test/workers/fence.test.ts",
      "test/workers/lease.test.ts",
      "test/workers/move/replaced-files.test.ts",
      "test/workers/move/refill.test.ts",
    ],
  },
  removal: {
    mutate: [
      "workers/move/sources/remove-slice.ts:70-200",
      "workers/move/sources/remove-runs.ts:170-230",
      "workers/move/sources/check-slice.ts:32-60",
      "workers/move/sources/check-slice.ts:90-105",
      "workers/records/assert-deleted.ts",
    ],
    tests: [
      "test/workers/move/meanwhile.test.ts",
      "test/workers/move/cut-runs.test.ts",
      "test/workers/move/reused-ids.test.ts",
      "test/workers/move/forbidding-triggers.test.ts",
      "test/workers/move/absent-tables.test.ts",
    ],
  },
  eligibility: {
    mutate: ["workers/move/select/eligibility.ts", "workers/records/test-states.ts"],
    tests: [
      "test/workers/move/eligibility.test.ts",
      "test/workers/move/age.test.ts",
      "test/workers/move/odd-times.test.ts",
    ],
  },
  guards: {
    mutate: ["workers/move/ids/id-guards.ts:27-103"],
    tests: ["test/workers/move/guards-hold.test.ts", "test/workers/move/lasting-guards.test.ts"],
  },
};
