import { type Connection, prepared, quoteName, quoteText } from "../../shared/sqlite/connection.ts";
import { preparedIds } from "../../shared/sqlite/ids.ts";
import { columnList, rowLiteral, sameRow } from "../../shared/sqlite/row-sql.ts";
import { originalBlock } from "./archive-blocks.ts";
import { rowsOfSlice } from "./children.ts";
import type { Source } from "./move.ts";
import type { RecordPlan } from "./record-tables.ts";
import { unmatchedRows } from "./unsynced-rows.ts";

/**
 * SQL that finds, in a source, the rows of a slice that are not what completed-runs.db holds and not a
 * version that was recorded as superseded either.
 */

/** Columns to compare: all in the cache, whose rows were copied; elsewhere those that the sync carries, and what came since. */
function comparedColumns({ part, fresh, appeared }: Comparison, record: RecordPlan): readonly string[] {
  return part === fresh
    ? record.columnsIn(part).filter((name) => name !== "id")
    : carriedOrNew(record, part, appeared(record));
}

/** The columns that the sync carries, and of those that were added to the table meanwhile what `part` has. */
export function carriedOrNew(
  record: RecordPlan,
  part: Source,
  appeared: readonly string[],
): readonly string[] {
  const carried = record.carried(part, "completed");
  if (appeared.length === 0) return carried;
  const here = record.columnsIn(part);
  return [...carried, ...appeared.filter((name) => here.includes(name) && !carried.includes(name))];
}

/** True where the row `x` is what `d` of completed-runs.db was copied from: a test's block may have a new id there. */
export function sameAsCopy(record: RecordPlan, columns: readonly string[]): string {
  const plain = columns.filter((name) => record.table !== "tests" || name !== "archived");
  const same = sameRow("x", "d", plain, record.mixed);
  return plain.length === columns.length ? same : `${same} AND x.archived IS ${originalBlock("d")}`;
}

export interface Comparison {
  part: Source;
  /** The part that holds the freshest data. */
  fresh: Source;
  jobId: string;
  /** False for what comes back after a run has moved: there any version ever recorded is known. */
  strict: boolean;
  /** Columns that were added to a table after the job began. */
  appeared(record: RecordPlan): readonly string[];
}

/** A SELECT of the ids of a synced table's rows that differ; it takes `:job`. */
function differingRows(comparison: Comparison, record: RecordPlan, renamedBlocks: boolean): string {
  const { table } = record;
  const { part, fresh, strict } = comparison;
  // Where clients write, a value that once lost may have been written anew: only what this job saw here counts.
  const recorded = strict && part === fresh ? `p.source = ${quoteText(part)} AND p.job_id = :job` : "1";
  const columns = comparedColumns(comparison, record);
  const same = renamedBlocks ? sameAsCopy(record, columns) : sameRow("x", "d", columns, record.mixed);
  return `SELECT x.id FROM ${rowsOfSlice(part, record, "x")} LEFT JOIN completed.${table} AS d ON d.id = x.id
    WHERE (d.id IS NULL OR NOT (${same}))
      AND NOT EXISTS (SELECT 1 FROM completed.mtjobs_superseded AS p WHERE p.table_name = ${quoteText(table)}
        AND p.row_id = x.id AND ${recorded} AND p.carried = ${rowLiteral("x", record.carried(part, "completed"))}
        AND p.carried <> '')`;
}

/** A SELECT of the ids of a never-synced table's rows that completed-runs.db has no partner for. */
function unknownRows(part: Source, record: RecordPlan): string {
  const columns = record.columnsIn(part);
  const slice = record.parent === "run_id" ? "slice_runs" : "slice_tests";
  const rows = `SELECT ${columnList(columns, "x")} FROM ${rowsOfSlice(part, record, "x")}`;
  const known = `SELECT ${columnList(columns, "d")} FROM temp.${slice} AS s
    CROSS JOIN completed.${record.table} AS d ON d.${quoteName(record.parent ?? "id")} = s.id`;
  return `SELECT x.id FROM (${unmatchedRows(rows, known, { columns, compared: columns, mixed: record.mixed })}) AS x
    WHERE NOT EXISTS (SELECT 1 FROM completed.mtjobs_superseded AS p WHERE p.table_name = ${quoteText(record.table)}
      AND p.row_id = x.id AND p.row = ${rowLiteral("x", columns)})`;
}

/** Ids of the rows of each table that differ; empty arrays are left out. */
export function findMismatches(
  db: Connection,
  records: readonly RecordPlan[],
  comparison: Comparison,
): Map<RecordPlan, bigint[]> {
  const { part, jobId: job } = comparison;
  const renamed = prepared(db, "SELECT EXISTS (SELECT 1 FROM completed.mtjobs_archived)").pluck().get() === 1;
  const found = new Map<RecordPlan, bigint[]>();
  for (const record of records) {
    if (record.columnsIn(part).length === 0) continue;
    const sql = record.synced ? differingRows(comparison, record, renamed) : unknownRows(part, record);
    const ids = preparedIds<{ job: string }>(db, sql).all({ job });
    if (ids.length > 0) found.set(record, ids);
  }
  return found;
}
