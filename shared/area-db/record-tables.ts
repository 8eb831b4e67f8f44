import type { RecordTable } from "../contract/names.ts";

export type MovedTable = "runs" | RecordTable;

/** How rows refer to a run: directly, by `run_id`, or by `test_id`. */
export interface RecordShape {
  table: MovedTable;
  /** Column that names the parent; null for runs. */
  parent: "run_id" | "test_id" | null;
  /** Megatest's sync copies the table, so an id means the same row in every database. */
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

/** Tables that Megatest never syncs: their ids are local to one database. */
export const unsyncedTables = recordShapes.filter(({ synced }) => !synced).map(({ table }) => table);

/** Tables whose ids Megatest assigns, and that others refer to. */
export const identifiedTables = ["runs", "tests", "test_steps", "test_data"] as const;
export type IdentifiedTable = (typeof identifiedTables)[number];

export const isIdentified = (table: string): table is IdentifiedTable =>
  (identifiedTables as readonly string[]).includes(table);

/**
 * Tables that describe the area, with the columns that name a row. The sync copies tables with names; in the others
 * ids identify rows, as in tests.archived.
 */
export const areaTables: Readonly<Record<string, readonly string[]>> = {
  keys: ["fieldname"],
  metadat: ["var"],
  test_meta: ["testname"],
  archive_disks: [],
  archive_blocks: [],
  archive_allocations: [],
};
