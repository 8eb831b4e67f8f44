import { foldName } from "../../../shared/sqlite/names.ts";
import type { Snapshot, Value } from "./snapshot.ts";

export type Row = ReadonlyMap<string, Value>;

/** Returns the rows of a table by id; empty if there is no such table. */
export function rowsById(from: Snapshot, table: string): Map<Value, Row> {
  return new Map(rowsOf(from, table).map((row) => [row.get("id") ?? "n", row]));
}

/** Returns the rows of a table in order; [] if there is no such table. */
export function rowsOf(from: Snapshot, table: string): Row[] {
  const content = from.tables.get(table);
  if (content === undefined) return [];
  return content.rows.map(
    (row) => new Map(content.columns.map((column, index) => [foldName(column), row[index] ?? "n"])),
  );
}

/** Tables whose ids mean the same in every database of an area, parents first. */
export const identified = [
  { table: "runs", parent: undefined, natural: ["runname"] },
  { table: "tests", parent: { table: "runs", column: "run_id" }, natural: ["testname", "item_path"] },
  { table: "test_steps", parent: { table: "tests", column: "test_id" }, natural: ["stepname", "state"] },
  { table: "test_data", parent: { table: "tests", column: "test_id" }, natural: ["category", "variable"] },
] as const;
export type Identified = (typeof identified)[number];

/** Tables that no sync carries: only a row's content counts, ids differ between databases. */
export const loose = [
  { table: "run_stats", parent: { table: "runs", column: "run_id" } },
  { table: "extradat", parent: { table: "runs", column: "run_id" } },
  { table: "test_rundat", parent: { table: "tests", column: "test_id" } },
  { table: "archives", parent: { table: "tests", column: "test_id" } },
] as const;
