/** In the order of results. */
export const recordTables = [
  "tests",
  "test_steps",
  "test_data",
  "run_stats",
  "extradat",
  "test_rundat",
  "archives",
] as const;
export type RecordTable = (typeof recordTables)[number];

/** The checks of a migration, in the order of results. */
export const migrateCheckNames = [
  "pinned",
  "from",
  "target",
  "versions",
  "schema",
  "last-migration",
  "tests",
  "activity",
  "servers",
  "open-files",
  "caches",
  "space-area",
  "space-target",
  "signs-of-life",
  "digest",
  "integrity",
  "homehost",
  "settle",
] as const;
export type MigrateCheckName = (typeof migrateCheckNames)[number];

/** Maximum length of a result's `runs`, `skipped` and `warnings`. */
export const listLimit = 1000;
