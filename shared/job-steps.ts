import { migrateSteps } from "./migrate-steps.ts";

/**
 * Every place where a job calls its failpoint, in the order in which a job passes them: right after the
 * step named has taken effect. Each has a row in the table "What if it dies here" of docs/architecture.md, and a kill
 * test in test/faults/.
 */
export const reduceSteps = [
  "prepared",
  "lease-taken",
  "refill-noted",
  "tokens-raised",
  "settled-in-cache",
  "settled-in-area",
  "settled-in-ref",
  "brought-together",
  "taken-back",
  "resumed",
  "clash-noted",
  "guarded-in-cache",
  "guarded-in-ref",
  "guarded-in-area",
  "clash-guarded",
  "late-collected",
  "copied",
  "verified",
  "guarded",
  "removing",
  // The next two and "absorbed" are passed by the threads that remove, once for each slice.
  "deleted-in-cache",
  "committed-in-cache",
  "absorbed-from-cache",
  "removed-from-cache",
  "deleted-in-ref",
  "committed-in-ref",
  "absorbed-from-ref",
  "removed-from-ref",
  "deleted-in-area",
  "committed-in-area",
  "absorbed-from-area",
  "removed-from-area",
  "moved",
  "looked-again",
  "compacted",
  "history-written",
  "releasing",
] as const;

/** What a restore passes between "late-collected" and "compacted"; "inserted" once for each slice. */
export const restoreSteps = [
  "renamed",
  "restoring",
  "inserted-in-area",
  "brought-to-area",
  "inserted-in-ref",
  "brought-to-ref",
  "inserted-in-cache",
  "brought-to-cache",
  "undone",
  "whole",
  "restored",
  "let-go",
] as const;

export const jobSteps = [...reduceSteps, ...restoreSteps, ...migrateSteps] as const;

/** The name of a step of a job, as `MTJOBS_FAILPOINT` takes it. */
export type JobStep = (typeof jobSteps)[number];
