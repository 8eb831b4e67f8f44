import type { Connection } from "../../../shared/sqlite/connection.ts";
import { preparedIds } from "../../../shared/sqlite/ids.ts";
import type { Source } from "../../area-db/databases.ts";
import { rowsOfSlice } from "../../records/child-index.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { columnList } from "../../records/row-sql.ts";
import { unmatchedRows } from "../../records/unsynced-rows.ts";
import { sameAsCopy } from "./compare-rows.ts";

/**
 * Returns the runs of the current slice with a row in completed-runs.db that `part` lacks or has with other values;
 * undefined if the run is unknown. Compares every column.
 *
 * @param touched `last_update` was set to a new value, and is not compared
 */
export function findIncomplete(
  db: Connection,
  part: Source,
  records: readonly RecordPlan[],
  { touched }: { touched: boolean },
): bigint[] | undefined {
  const found = new Set<bigint>();
  for (const record of records) {
    // A table that never syncs may be missing here: its rows are in another source.
    if (record.columnsIn(part).length === 0) continue;
    const missing = missingRows(part, record, touched);
    const owners = preparedIds<[], bigint | null>(
      db,
      `SELECT DISTINCT ${ownerOf(record)} FROM (${missing}) AS d`,
    ).all();
    for (const run of owners) {
      if (run === null) return undefined;
      found.add(run);
    }
  }
  return [...found];
}

function ownerOf({ table, parent }: RecordPlan): string {
  if (parent === "test_id") return "(SELECT t.run_id FROM completed.tests AS t WHERE t.id = d.test_id)";
  return table === "runs" ? "d.id" : "d.run_id";
}

/** SQL: a SELECT of the copies of the slice, with their parents, that `part` lacks. */
function missingRows(part: Source, record: RecordPlan, touched: boolean): string {
  const columns = record.columnsIn(part);
  const names = record.parent === null ? ["id"] : ["id", record.parent];
  const copies = copiesOfSlice(record);
  if (!record.synced) {
    // Their ids may differ: compare by parent and content.
    const copied = `SELECT ${columnList(columns, "d")} FROM ${copies}`;
    const there = `SELECT ${columnList(columns, "x")} FROM ${rowsOfSlice(part, record, "x")}`;
    return unmatchedRows(copied, there, { columns, compared: columns, mixed: record.mixed });
  }
  const compared = columns.filter((name) => name !== "id" && !(touched && name === "last_update"));
  return `SELECT ${columnList(names, "d")} FROM ${copies} LEFT JOIN ${part}.${record.table} AS x ON x.id = d.id
    WHERE x.id IS NULL OR NOT (${sameAsCopy(record, compared)})`;
}

/** SQL: the slice's rows in completed-runs.db, bound to `d`. */
export function copiesOfSlice(record: RecordPlan): string {
  return rowsOfSlice("completed", record, "d");
}
