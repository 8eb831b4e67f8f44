/**
 * All failpoints of a job in order. Each has a row in "What if it dies here" of docs/moving.md and a kill test
 * in test/faults/.
 */
export const reduceFailpoints = [
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
  // The "deleted", "committed" and "absorbed" steps run once per slice.
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

/** Between "late-collected" and "compacted"; the "inserted" steps run once per slice. */
export const restoreFailpoints = [
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

/** Of a purge, between "late-collected" and "compacted"; once for each run. */
export const purgeFailpoints = ["export-written", "exported", "purging", "purged"] as const;

/** Of an import, after "late-collected". */
export const importFailpoints = ["ids-reserved", "import-copied", "imported"] as const;

/**
 * All failpoints of a migration in order; those of an undo last. Each has a row in "What if it dies here" of
 * docs/migrating.md.
 */
export const migrateFailpoints = [
  "migration-begun",
  "migration-gathered",
  "old-cache-closed",
  "old-ref-closed",
  "snapshot-written",
  "migration-closed",
  "pair-copied",
  "pair-replaced",
  "pair-installed",
  "migration-installed",
  "home-written",
  "intent-committed",
  "home-renamed",
  "migration-switched",
  "pair-opened",
  "stray-copied",
  "stray-merged",
  "migration-settled",
  "old-opened",
  "new-cleaned",
  "migration-undone",
] as const;

export const failpointNames = [
  ...reduceFailpoints,
  ...restoreFailpoints,
  ...purgeFailpoints,
  ...importFailpoints,
  ...migrateFailpoints,
] as const;

/** As in `MTJOBS_FAILPOINT`. */
export type FailpointName = (typeof failpointNames)[number];
