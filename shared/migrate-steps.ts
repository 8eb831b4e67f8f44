/**
 * Every place where a migration calls its failpoint, in the order in which it passes them, first on the old home, then
 * on the new one; those of undoing last. Each has a row in "What if it dies here" of docs/architecture.md.
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
