import { type Part, prepared, quoteText } from "../../shared/sqlite/connection.ts";
import { idAfter, lastOfNext, preparedIds } from "../../shared/sqlite/ids.ts";
import { lowestId } from "../../shared/sqlite/run-id.ts";
import type { Source } from "../area-db/databases.ts";
import type { RecordSession } from "./record-session.ts";
import type { RecordPlan } from "./record-tables.ts";

/** Rows read in one statement: a few milliseconds of a shared lock. */
const chunk = 10_000;

/**
 * Records id and parent of every row in those tables of `part` that have no index on their parent, so that later
 * look-ups need no scan. Once per job; a purge does it again.
 */
export async function indexChildren(session: RecordSession, part: Source): Promise<void> {
  for (const record of unindexedIn(session, part)) {
    prepared(session.db, "DELETE FROM temp.children WHERE part = ? AND table_name = ?").run(
      part,
      record.table,
    );
    session.mappedTo.delete(`${part}.${record.table}`);
    await mapTable(session, part, record, lowestId);
  }
}

/**
 * Records the rows that came since the tables were last read. They have higher ids, so this is cheap. Not after rows
 * were removed: an id above those that are left is given out again.
 */
export async function indexNewChildren(session: RecordSession, part: Source): Promise<void> {
  for (const record of unindexedIn(session, part)) {
    const last = session.mappedTo.get(`${part}.${record.table}`);
    const next = last === undefined ? lowestId : idAfter(last, last);
    if (next !== undefined) await mapTable(session, part, record, next);
  }
}

function unindexedIn({ records }: RecordSession, part: Source): readonly RecordPlan[] {
  return records.filter(
    (record) => record.parent !== null && !record.indexedIn(part) && record.columnsIn(part).length > 0,
  );
}

/** Reads the rows with ids from `first` on. */
async function mapTable(
  session: RecordSession,
  part: Source,
  { table, parent }: RecordPlan,
  first: bigint,
): Promise<void> {
  const { db } = session;
  const name = `${part}.${table}`;
  const note = () =>
    prepared<[bigint, bigint]>(
      db,
      `INSERT OR IGNORE INTO temp.children SELECT ${quoteText(part)}, ${quoteText(table)}, ${parent}, id FROM ${name}
     WHERE id BETWEEN ? AND ? AND ${parent} IS NOT NULL`,
    );
  const startOf = (from: bigint) => (from > first ? from : first);
  const last = () => preparedIds<[bigint], bigint | null>(db, lastOfNext(name, chunk));
  for await (const [from, to] of session.idRangesBy((start) => last().get(startOf(start)))) {
    await session.read(() => note().run(startOf(from), to));
    session.mappedTo.set(name, to);
  }
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
