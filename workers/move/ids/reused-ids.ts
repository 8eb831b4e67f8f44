import { type Connection, quoteText } from "../../../shared/sqlite/connection.ts";
import { idList, preparedIds } from "../../../shared/sqlite/ids.ts";
import type { Source } from "../../area-db/databases.ts";
import { rowsOfSlice } from "../../records/child-index.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { rowLiteral, sameRow } from "../../records/row-sql.ts";

// A reused id: a row of a source under an id that completed-runs.db has for another record: Megatest's
// clean-up removes the guards, even while a job runs, and then Megatest assigns ids again.

/** Row ids by table. */
export type RowIds = Map<RecordPlan, readonly bigint[]>;

/** Returns the columns that distinguish records under one id. A run registered again under its name began later. */
export function identityOf({ table, naturalKey, columnsIn }: RecordPlan): readonly string[] {
  const began = table === "runs" && columnsIn("completed").includes("event_time") ? ["event_time"] : [];
  return [...naturalKey, ...began];
}

/** SQL: the rows `x` and `d` of one id are two records. */
export function isAnother(record: RecordPlan): string {
  return `NOT (${sameRow("x", "d", identityOf(record))})`;
}

/** SQL: the row `x` is not an older version of the moved one that a sync or a refill restored. */
export function isNoKnownVersion(record: RecordPlan, part: Source): string {
  return `NOT EXISTS (SELECT 1 FROM completed.mtjobs_superseded AS p WHERE p.table_name = ${quoteText(record.table)}
    AND p.row_id = x.id AND p.carried = ${rowLiteral("x", record.carried(part, "completed"))})`;
}

/** Returns those of `runs` whose ids belong to other runs in `part`. */
export function runsOfReusedIds(
  db: Connection,
  part: Source,
  record: RecordPlan,
  runs: readonly bigint[],
): bigint[] {
  return preparedIds<[string]>(
    db,
    `SELECT x.id FROM json_each(?) AS j CROSS JOIN ${part}.runs AS x ON x.id = j.value
     CROSS JOIN completed.runs AS d ON d.id = x.id WHERE ${isAnother(record)} AND ${isNoKnownVersion(record, part)}`,
  ).all(idList(runs));
}

interface Suspects {
  part: Source;
  /** The part with the freshest data. */
  fresh: Source;
  records: readonly RecordPlan[];
  /** Rows of the current slice that match no version of their copies; rows of reused ids are removed from it. */
  found: RowIds;
  /** Runs of the slice with reused ids, and its tests that belong to runs outside it. */
  known: Known;
}

/** Reused ids. */
export interface Known {
  runs: readonly bigint[];
  tests: readonly bigint[];
}

/**
 * Returns the rows of the current slice with reused ids, and their children: they must stay. A child that equals a
 * moved row in every value came back under the id together with it, and is not one of them.
 */
export function separateReusedIds(db: Connection, suspects: Suspects): RowIds {
  const { part, fresh, records, found, known } = suspects;
  const reusedIds: RowIds = new Map();
  const parentsBy = { run_id: known.runs, test_id: [...known.tests, ...testsBeside(db, suspects)] };
  for (const record of records) {
    const { table, parent, synced } = record;
    const parents = parent === null ? [] : parentsBy[parent];
    const rows = found.get(record) ?? [];
    const ids = new Set(table === "runs" ? known.runs : table === "tests" ? known.tests : []);
    for (const id of reusedIdsAmong(db, part, record, rows, parents)) ids.add(id);
    // Where clients write, rows of tables without names and times may be equal by chance.
    if (!synced && part === fresh) for (const id of rowsUnder(db, part, record, parents)) ids.add(id);
    if (ids.size === 0) continue;
    if (table === "tests") parentsBy.test_id = [...ids];
    reusedIds.set(record, [...ids]);
    const rest = rows.filter((id) => !ids.has(id));
    if (rest.length > 0) found.set(record, rest);
    else found.delete(record);
  }
  return reusedIds;
}

/**
 * Returns the tests of reused run ids of which the current slice has other rows, but not the test's own: it is too
 * large for one slice.
 */
function testsBeside(db: Connection, { part, records, known }: Suspects): bigint[] {
  const tests = records.find(({ table }) => table === "tests");
  if (tests === undefined || known.runs.length === 0) return [];
  const asCopied = sameRow("x", "d", tests.carried(part, "completed"), tests.mixed);
  return preparedIds<[string]>(
    db,
    `SELECT x.id FROM temp.slice_tests AS s CROSS JOIN ${part}.tests AS x ON x.id = s.id
     WHERE NOT EXISTS (SELECT 1 FROM temp.slice_rows WHERE table_name = 'tests')
       AND x.run_id IN (SELECT value FROM json_each(?)) AND ${isNoKnownVersion(tests, part)}
       AND NOT EXISTS (SELECT 1 FROM completed.tests AS d WHERE d.id = x.id AND ${asCopied})`,
  ).all(idList(known.runs));
}

function reusedIdsAmong(
  db: Connection,
  part: Source,
  record: RecordPlan,
  rows: readonly bigint[],
  parents: readonly bigint[],
): bigint[] {
  if (rows.length === 0) return [];
  const { table, parent, synced } = record;
  const hangs = parent === null ? "0" : `x.${parent} IN (SELECT value FROM json_each(:parents))`;
  const another = synced
    ? `EXISTS (SELECT 1 FROM completed.${table} AS d WHERE d.id = x.id AND ${isAnother(record)})`
    : "0";
  return preparedIds<{ rows: string; parents: string }>(
    db,
    `SELECT x.id FROM json_each(:rows) AS j CROSS JOIN ${part}.${table} AS x ON x.id = j.value
     WHERE ${hangs} OR ${another}`,
  ).all({ rows: idList(rows), parents: idList(parents) });
}

function rowsUnder(db: Connection, part: Source, record: RecordPlan, parents: readonly bigint[]): bigint[] {
  if (parents.length === 0 || record.columnsIn(part).length === 0) return [];
  return preparedIds<[string]>(
    db,
    `SELECT x.id FROM ${rowsOfSlice(part, record, "x")} WHERE s.id IN (SELECT value FROM json_each(?))`,
  ).all(idList(parents));
}

/** Returns the runs of completed-runs.db that the reused ids belong to. */
export function runsNamedBy(db: Connection, reusedIds: RowIds): bigint[] {
  const runs = new Set<bigint>();
  for (const [{ table, parent, synced }, ids] of reusedIds) {
    if (!synced) continue;
    const run =
      parent === "test_id"
        ? "(SELECT t.run_id FROM completed.tests AS t WHERE t.id = d.test_id)"
        : `d.${parent ?? "id"}`;
    const found = preparedIds<[string], bigint | null>(
      db,
      `SELECT DISTINCT ${run} FROM json_each(?) AS j CROSS JOIN completed.${table} AS d ON d.id = j.value`,
    ).all(idList(ids));
    for (const id of found) if (id !== null) runs.add(id);
  }
  return [...runs];
}
