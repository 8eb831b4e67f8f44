import type { RecordTable } from "./result.ts";

/** A table whose rows belong to a run, with what moving them must know. */
export type MovedTable = "runs" | RecordTable;

/** How a table's rows hang on a run: itself, by `run_id`, or by `test_id`. */
export interface RecordShape {
  table: MovedTable;
  /** Column that names the parent; null for runs. */
  parent: "run_id" | "test_id" | null;
  /** True where Megatest's sync carries the table, so that an id means the same row in every database. */
  synced: boolean;
}

/** Parents before children. */
export const recordShapes: readonly RecordShape[] = [
  { table: "runs", parent: null, synced: true },
  { table: "tests", parent: "run_id", synced: true },
  { table: "test_steps", parent: "test_id", synced: true },
  { table: "test_data", parent: "test_id", synced: true },
  { table: "run_stats", parent: "run_id", synced: false },
  { table: "extradat", parent: "run_id", synced: false },
  { table: "test_rundat", parent: "test_id", synced: false },
  { table: "archives", parent: "test_id", synced: false },
];

/** Tables that Megatest never syncs: an id of theirs means a row of one database alone. */
export const unsyncedTables = recordShapes.filter(({ synced }) => !synced).map(({ table }) => table);

/** Tables whose ids Megatest hands out and other tables or people refer to. */
export const identifiedTables = ["runs", "tests", "test_steps", "test_data"] as const;
export type IdentifiedTable = (typeof identifiedTables)[number];

/**
 * What describes the area rather than a run, with the columns that name a row. The sync carries tables whose rows have
 * names; the others go by their ids, as tests.archived names a block.
 */
export const areaTables: Readonly<Record<string, readonly string[]>> = {
  keys: ["fieldname"],
  metadat: ["var"],
  test_meta: ["testname"],
  archive_disks: [],
  archive_blocks: [],
  archive_allocations: [],
};
