/**
 * All failpoints of a migration in order; those of an undo last. Each has a row in "What if it dies here" of
 * docs/architecture.md.
 */
export const migrateSteps = [
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
