import { type Connection, prepared, quoteText } from "../../../shared/sqlite/connection.ts";
import { preparedIds } from "../../../shared/sqlite/ids.ts";
import type { Source } from "../../area-db/databases.ts";
import { rowsOfSlice } from "../../records/child-index.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { columnList, rowLiteral, sameName } from "../../records/row-sql.ts";
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

/**
 * Returns true if each row of the current slice's copies is still there in `fresh`, where clients write, as it was
 * copied or as a client changed it since. A row that a refill brought back after its removal is not: it has a value
 * that another database had, and that was kept. Rows that never sync may be in megatest.db alone.
 */
export function areAllThere(db: Connection, fresh: Source, records: readonly RecordPlan[]): boolean {
  return records.every((record) => {
    const gone = record.synced
      ? removedRows(fresh, record)
      : (["area", fresh] as const).reduce(
          (rows, part) => missingUnsynced(part, record, rows),
          copiesAsRead(record),
        );
    return prepared(db, `SELECT EXISTS (${gone})`).pluck().get() === 0;
  });
}

/** SQL: a SELECT of the copies of the slice that `part` lacks, or has again in another database's version. */
function removedRows(part: Source, record: RecordPlan): string {
  const { table, parent, naturalKey } = record;
  const compared = record.columnsIn(part).filter((name) => name !== "id");
  const keys = parent === null ? naturalKey : [parent, ...naturalKey];
  if (record.columnsIn(part).length === 0) return "SELECT 1 WHERE 0";
  return `SELECT 1 FROM ${copiesOfSlice(record)} LEFT JOIN ${part}.${table} AS x ON x.id = d.id
    WHERE x.id IS NULL OR NOT (${sameName("x", "d", keys)})
      OR (NOT (${sameAsCopy(record, compared)}) AND EXISTS (
        SELECT 1 FROM completed.mtjobs_superseded AS p WHERE p.table_name = ${quoteText(table)} AND p.row_id = d.id
          AND p.source <> ${quoteText(part)} AND p.carried = ${rowLiteral("x", record.carried(part, "completed"))}))`;
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
  if (!record.synced) return missingUnsynced(part, record, copiesAsRead(record));
  const compared = columns.filter((name) => name !== "id" && !(touched && name === "last_update"));
  return `SELECT ${columnList(names, "d")} FROM ${copies} LEFT JOIN ${part}.${record.table} AS x ON x.id = d.id
    WHERE x.id IS NULL OR NOT (${sameAsCopy(record, compared)})`;
}

/** SQL: a SELECT of the slice's rows in completed-runs.db. */
const copiesAsRead = (record: RecordPlan) =>
  `SELECT ${columnList(record.columnsIn("completed"), "d")} FROM ${copiesOfSlice(record)}`;

/** SQL: a SELECT of those of `copies` that `part` lacks; their ids may differ, so by parent and content. */
function missingUnsynced(part: Source, record: RecordPlan, copies: string): string {
  const compared = record.columnsIn(part);
  if (compared.length === 0) return copies;
  const there = `SELECT ${columnList(compared, "x")} FROM ${rowsOfSlice(part, record, "x")}`;
  return unmatchedRows(copies, there, {
    columns: record.columnsIn("completed"),
    compared,
    mixed: record.mixed,
  });
}

/** SQL: the slice's rows in completed-runs.db, bound to `d`. */
export function copiesOfSlice(record: RecordPlan): string {
  return rowsOfSlice("completed", record, "d");
}
