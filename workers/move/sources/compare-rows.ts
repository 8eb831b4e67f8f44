import {
  type Connection,
  prepared,
  quoteName,
  quoteText,
  quoteTexts,
} from "../../../shared/sqlite/connection.ts";
import { preparedIds } from "../../../shared/sqlite/ids.ts";
import { defaultExpression } from "../../../shared/sqlite/table.ts";
import type { Source } from "../../area-db/databases.ts";
import { rowsOfSlice } from "../../records/child-index.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { columnList, rowLiteral, sameRow } from "../../records/row-sql.ts";
import { unmatchedRows } from "../../records/unsynced-rows.ts";
import { originalBlock } from "../copy/archive-blocks.ts";

// SQL that finds a source's rows of a slice that differ from completed-runs.db and are not recorded as superseded.

/** SQL: the row `x` is what `d` of completed-runs.db was copied from, where a test's block may have a new id. */
export function sameAsCopy(record: RecordPlan, columns: readonly string[]): string {
  const plain = columns.filter((name) => record.table !== "tests" || name !== "archived");
  const same = sameRow("x", "d", plain, record.mixed);
  return plain.length === columns.length ? same : `${same} AND x.archived IS ${originalBlock("d")}`;
}

/**
 * SQL: the row `x` of a later part holds nothing in uncarried columns that `d` lacks, as when the fresh part has no
 * such column, or a value came after the copy. A default counts as nothing: a sync that restores a row leaves it.
 */
export function addsNothing(record: RecordPlan, part: Source): string {
  const each = record
    .uncarried(part)
    .map(
      (column) =>
        `(${sameRow("x", "d", [column.name], record.mixed)} OR x.${quoteName(column.name)} IS (${defaultExpression(column)}) COLLATE BINARY)`,
    );
  return each.length === 0 ? "1" : each.join(" AND ");
}

export interface Comparison {
  part: Source;
  /** The part with the freshest data. */
  fresh: Source;
  /**
   * Versions in `mtjobs_superseded` with a higher id are known to be left out. Undefined for rows that a sync or refill
   * may have brought back after removal: then any kept version is known.
   */
  keptSince: bigint | undefined;
}

/** SQL to compare a row `x` with its copy `d`, and with a kept version `p`. */
interface Likeness {
  /** All values that count equal the copy's. */
  same: (renamedBlocks: boolean) => string;
  /** The version with these carried values counts as kept. */
  kept: string;
}

const like = (record: RecordPlan, columns: readonly string[]) => (renamedBlocks: boolean) =>
  renamedBlocks ? sameAsCopy(record, columns) : sameRow("x", "d", columns, record.mixed);

/**
 * Compares all columns in the fresh part, whose rows were copied; elsewhere those that the sync carries, and any that
 * the copy has no value for.
 */
function likenessIn({ part, fresh, keptSince }: Comparison, record: RecordPlan): Likeness {
  const all = record.columnsIn(part);
  const carried = record.carried(part, "completed");
  // A version is kept with all its columns: another value in one of them makes it another version.
  const whole = `p.row = ${rowLiteral("x", all)}`;
  const nothing = addsNothing(record, part);
  const known = nothing === "1" ? nothing : `(${nothing} OR ${whole})`;
  if (part !== fresh)
    return { same: (renamed) => `${like(record, carried)(renamed)} AND ${nothing}`, kept: known };
  const columns = all.filter((name) => name !== "id");
  const rest = columns.filter((name) => !carried.includes(name));
  if (keptSince === undefined) return { same: like(record, columns), kept: known };
  // Where clients write, a losing value may have been written again: only versions that were left out there count.
  return {
    same: like(record, columns),
    kept: `p.source = ${quoteText(part)} AND p.id > :since
      AND (d.id IS NULL OR ${sameRow("x", "d", rest, record.mixed)} OR ${whole})`,
  };
}

/** What completed-runs.db has at all: without it a statement is shorter, and much faster to prepare. */
interface Contents {
  renamedBlocks: boolean;
  keptVersions: boolean;
}

/** SQL: the ids of a synced table's rows that differ; may take `:since`. */
function differingRows(
  comparison: Comparison,
  record: RecordPlan,
  { renamedBlocks, keptVersions }: Contents,
): string {
  const { table } = record;
  const { part } = comparison;
  const { same, kept } = likenessIn(comparison, record);
  const differing = `SELECT x.id FROM ${rowsOfSlice(part, record, "x")} LEFT JOIN completed.${table} AS d ON d.id = x.id
    WHERE (d.id IS NULL OR NOT (${same(renamedBlocks)}))`;
  if (!keptVersions) return differing;
  return `${differing}
      AND NOT EXISTS (SELECT 1 FROM completed.mtjobs_superseded AS p WHERE p.table_name = ${quoteText(table)}
        AND p.row_id = x.id AND p.carried = ${rowLiteral("x", record.carried(part, "completed"))}
        AND p.carried <> '' AND ${kept})`;
}

/** SQL: the ids of a never-synced table's rows without a partner in completed-runs.db; may take `:since`. */
function unknownRows(
  { part, fresh, keptSince }: Comparison,
  record: RecordPlan,
  { keptVersions }: Contents,
): string {
  // No sync or refill brings such a row back to the fresh part: only versions kept from there or from the copy are known.
  const there = part === fresh ? ` AND p.source IN (${quoteTexts([part, "completed"])})` : "";
  const own = part === fresh && keptSince !== undefined ? `${there} AND p.id > :since` : there;
  const columns = record.columnsIn(part);
  const slice = record.parent === "run_id" ? "slice_runs" : "slice_tests";
  const rows = `SELECT ${columnList(columns, "x")} FROM ${rowsOfSlice(part, record, "x")}`;
  const known = `SELECT ${columnList(columns, "d")} FROM temp.${slice} AS s
    CROSS JOIN completed.${record.table} AS d ON d.${quoteName(record.parent ?? "id")} = s.id`;
  const unknown = `SELECT x.id FROM (${unmatchedRows(rows, known, { columns, compared: columns, mixed: record.mixed })}) AS x`;
  if (!keptVersions) return unknown;
  return `${unknown}
    WHERE NOT EXISTS (SELECT 1 FROM completed.mtjobs_superseded AS p WHERE p.table_name = ${quoteText(record.table)}
      AND p.row_id = x.id AND p.row = ${rowLiteral("x", columns)}${own})`;
}

/** Returns the ids of the rows of each table that differ; empty arrays are left out. */
export function findMismatches(
  db: Connection,
  records: readonly RecordPlan[],
  comparison: Comparison,
): Map<RecordPlan, bigint[]> {
  const { part, keptSince: since = null } = comparison;
  const hasAny = (table: string) =>
    prepared(db, `SELECT EXISTS (SELECT 1 FROM completed.${table})`).pluck().get() === 1;
  const contents = { renamedBlocks: hasAny("mtjobs_archived"), keptVersions: hasAny("mtjobs_superseded") };
  const found = new Map<RecordPlan, bigint[]>();
  for (const record of records) {
    if (record.columnsIn(part).length === 0) continue;
    const sql = (record.synced ? differingRows : unknownRows)(comparison, record, contents);
    const ids = preparedIds<{ since: bigint | null }>(db, sql).all({ since });
    if (ids.length > 0) found.set(record, ids);
  }
  return found;
}
