import { type Part, prepared, quoteText } from "../../shared/sqlite/connection.ts";
import type { Source } from "../area-db/databases.ts";
import type { RecordSession } from "./record-session.ts";
import type { RecordPlan } from "./record-tables.ts";

/** Rows read in one statement: a few milliseconds of a shared lock. */
const chunk = 10_000;

/**
 * Records id and parent of every row in those tables of `part` that have no index on their parent, so that later
 * look-ups need no scan. Runs once per job.
 */
export async function indexChildren(session: RecordSession, part: Source): Promise<void> {
  for (const record of session.records) {
    if (record.parent === null || record.indexedIn(part) || record.columnsIn(part).length === 0) continue;
    await mapTable(session, part, record);
  }
}

async function mapTable(session: RecordSession, part: Source, { table, parent }: RecordPlan): Promise<void> {
  const { db } = session;
  db.prepare("DELETE FROM temp.children WHERE part = ? AND table_name = ?").run(part, table);
  const note = () =>
    prepared<[bigint, bigint]>(
      db,
      `INSERT OR IGNORE INTO temp.children SELECT ${quoteText(part)}, ${quoteText(table)}, ${parent}, id FROM ${part}.${table}
     WHERE id BETWEEN ? AND ? AND ${parent} IS NOT NULL`,
    );
  for await (const range of session.idRanges(`${part}.${table}`, chunk))
    await session.read(() => note().run(...range));
}

/** SQL, a FROM clause: the rows of a table in `part`, as `alias`, whose parent is in a table of ids, as `s`. */
export function childrenOf(part: Part, record: RecordPlan, parents: string, alias: string): string {
  return record.indexedIn(part)
    ? `${parents} AS s CROSS JOIN ${part}.${record.table} AS ${alias} ON ${alias}.${record.parent} = s.id`
    : `${parents} AS s CROSS JOIN temp.children AS k ON k.part = ${quoteText(part)} AND k.table_name = ${quoteText(record.table)}
         AND k.parent = s.id CROSS JOIN ${part}.${record.table} AS ${alias}
         ON ${alias}.id = k.id AND ${alias}.${record.parent} = s.id`;
}

/** SQL, a FROM clause: the rows of a table in `part`, as `alias`, that belong to the current slice or piece of a test. */
export function rowsOfSlice(part: Part, record: RecordPlan, alias: string): string {
  const { table, parent } = record;
  if (parent === null)
    return `temp.slice_runs AS s CROSS JOIN ${part}.runs AS ${alias} ON ${alias}.id = s.id`;
  if (table !== "tests" && parent === "run_id") return childrenOf(part, record, "temp.slice_runs", alias);
  const tests = "temp.slice_rows AS w CROSS JOIN temp.slice_tests";
  const rows =
    table === "tests"
      ? `${tests} AS s CROSS JOIN ${part}.tests AS ${alias} ON ${alias}.id = s.id`
      : childrenOf(part, record, tests, alias);
  return `${rows} AND w.table_name = ${quoteText(table)} AND ${alias}.id BETWEEN w.low AND w.high`;
}
