import { setImmediate as yieldNow } from "node:timers/promises";
import { guardName } from "../../../shared/area-db/hidden-row-names.ts";
import { readHidden } from "../../../shared/area-db/hidden-rows.ts";
import { type Connection, prepared, quoteText } from "../../../shared/sqlite/connection.ts";
import { idAfter, idList, largestId, lastOfNext, preparedIds, walkIds } from "../../../shared/sqlite/ids.ts";
import { lowestId } from "../../../shared/sqlite/run-id.ts";
import type { Source } from "../../area-db/databases.ts";
import { childrenOf } from "../../records/child-index.ts";
import { isTestIn, keptTestsOf, runOfKeptTest } from "../ids/kept-tests.ts";
import type { JobSession } from "../session/job-session.ts";

// Finds rows of moved runs that are still, or again, in a source: late rows, and rows that a sync restored.

/** Rows or tests read in one statement. */
const chunk = 2_000;

/** Where clients report on a test, whether its row is there or not. */
const reportTables = ["test_steps", "test_data"] as const;
type ReportTable = (typeof reportTables)[number];

/** Steps or data of a source, searched up to an id. */
export type SearchedUpTo = readonly [part: Source, table: ReportTable, id: bigint];

/**
 * Returns those of `runs`, which are in completed-runs.db, that have any row in `part`. Reads only, with a few
 * milliseconds of a shared lock per statement.
 */
export async function runsWithRows(
  session: JobSession,
  part: Source,
  runs: readonly bigint[],
): Promise<bigint[]> {
  const found: bigint[] = [];
  for (const run of runs) {
    if (await hasRows(session, part, run)) found.push(run);
    await yieldNow();
  }
  return found;
}

/**
 * Returns true if a source has any row of a moved run again: of the run itself, a test, or only a step, a datum or
 * another row of one. Rows of unindexed tables are found by the map of `indexChildren` and `indexNewChildren`.
 */
export async function isBack(session: JobSession, run: bigint): Promise<boolean> {
  for (const part of session.sources) if (await hasRows(session, part, run)) return true;
  return false;
}

async function hasRows(session: JobSession, part: Source, run: bigint): Promise<boolean> {
  const { db } = session;
  const itself = [`SELECT 1 FROM ${part}.runs WHERE id IN (SELECT value FROM json_each(:ids))`];
  const ofRun = () => existsSql(db, [...itself, ...childrenBy(session, part, "run_id")]);
  if ((await session.read(() => ofRun().get({ ids: idList([run]) }))) === 1) return true;
  const byTest = childrenBy(session, part, "test_id");
  if (byTest.length === 0) return false;
  const ofTests = () => existsSql(db, byTest);
  const moved = await session.read(() =>
    preparedIds<[bigint]>(db, "SELECT id FROM completed.tests WHERE run_id = ?").all(run),
  );
  // Of those that are only kept, too, unless Megatest has another test of that id.
  const kept = await session.read(() => keptTestsOf(db, run).filter((test) => !isTestIn(db, part, test)));
  const tests = [...moved, ...kept];
  for (let from = 0; from < tests.length; from += chunk) {
    const ids = idList(tests.slice(from, from + chunk));
    if ((await session.read(() => ofTests().get({ ids }))) === 1) return true;
    await yieldNow();
  }
  return false;
}

/** A statement that returns 1 if one of the queries has a row. */
function existsSql(db: Connection, queries: readonly string[]) {
  const exists = queries.map((sql) => `EXISTS (${sql})`);
  return prepared<{ ids: string }, number>(db, `SELECT ${exists.join(" OR ")}`).pluck();
}

/** SQL for each table: its rows whose parent is among `:ids`. */
function childrenBy({ records }: JobSession, part: Source, parent: "run_id" | "test_id"): string[] {
  return records
    .filter((record) => record.parent === parent && record.columnsIn(part).length > 0)
    .map(
      (record) =>
        `SELECT 1 FROM ${childrenOf(part, record, "(SELECT value AS id FROM json_each(:ids))", "x")}`,
    );
}

/**
 * Returns the moved runs that rows in `part` refer to: a restored run row, a test without its run, a step or datum
 * without its test. Cheap: by index over the runs, and over steps and data newer than last time.
 */
export async function lateRuns(session: JobSession, part: Source): Promise<Set<bigint>> {
  const found = new Set<bigint>();
  for (const run of await movedRunsNamedBy(session, part)) found.add(run);
  for (const table of reportTables) {
    for (const run of await runsOfNewChildren(session, part, table)) found.add(run);
  }
  for (const run of await runsWithUnindexedRows(session, part)) found.add(run);
  return found;
}

/** Returns the moved runs that rows of unindexed tables refer to, by the latest map of `indexChildren`. */
export async function runsWithUnindexedRows(session: JobSession, part: Source): Promise<bigint[]> {
  const found: bigint[] = [];
  for (const { table, parent, indexedIn } of session.records) {
    if (parent === null || indexedIn(part)) continue;
    const runs = await session.read(() => runsOfMappedChildren(session, part, table, parent));
    found.push(...runs);
  }
  return found;
}

/** A value of run_id, usually a number. */
type Named = bigint | number | string | Buffer;

/** Skips through the index on tests.run_id, and through the runs. */
async function movedRunsNamedBy(session: JobSession, part: Source): Promise<bigint[]> {
  const { db, context } = session;
  const walk = (next: string) => `WITH RECURSIVE named(id, n) AS (
      SELECT (${next.replace(":after", ":from")}), 1
      UNION ALL SELECT (${next.replace(":after", "named.id")}), n + 1 FROM named
        WHERE named.id IS NOT NULL AND n < ${chunk})
    SELECT named.id, (SELECT state FROM completed.mtjobs_runs AS r WHERE r.run_id = named.id) FROM named
    WHERE named.id IS NOT NULL`;
  const found: bigint[] = [];
  for (const next of [
    `SELECT min(run_id) FROM ${part}.tests WHERE run_id > :after`,
    `SELECT min(id) FROM ${part}.runs WHERE id > :after`,
  ]) {
    const read = () => prepared<{ from: Named }, [Named, string | null]>(db, walk(next)).safeIntegers().raw();
    for (let from: Named | undefined = Number.NEGATIVE_INFINITY; from !== undefined; ) {
      const after: Named = from;
      const rows: [Named, string | null][] = await session.read(() => read().all({ from: after }));
      for (const [id, state] of rows) if (state === "moved") found.push(id as bigint);
      from = rows.at(-1)?.[0];
      context.signal.throwIfAborted();
      await yieldNow();
    }
  }
  return found;
}

async function runsOfNewChildren(session: JobSession, part: Source, table: ReportTable): Promise<bigint[]> {
  const { db, context } = session;
  const { signal } = context;
  const seen = await session.read(() => seenUpTo({ db }, part, table));
  const last = () => preparedIds<[bigint], bigint | null>(db, lastOfNext(`${part}.${table}`, chunk));
  const rowsOf = `SELECT DISTINCT (SELECT r.run_id FROM completed.mtjobs_runs AS r
       WHERE r.state = 'moved' AND NOT EXISTS (SELECT 1 FROM ${part}.tests AS p WHERE p.id = x.test_id)
         AND r.run_id = coalesce((SELECT t.run_id FROM completed.tests AS t WHERE t.id = x.test_id), ${runOfKeptTest("x.test_id")}))
     FROM ${part}.${table} AS x WHERE x.id BETWEEN ? AND ?`;
  const read = () => preparedIds<[bigint, bigint], bigint | null>(db, rowsOf);
  const found: bigint[] = [];
  const first = seen === undefined ? lowestId : idAfter(seen, seen);
  if (first === undefined) return found;
  const next = (from: bigint) => session.read(() => last().get(from > first ? from : first));
  for await (const [from, to] of walkIds(signal, next)) {
    const runs = await session.read(() => read().all(from > first ? from : first, to));
    for (const run of runs) if (run !== null) found.push(run);
  }
  return found;
}

function runsOfMappedChildren(
  { db }: JobSession,
  part: Source,
  table: string,
  parent: "run_id" | "test_id",
): bigint[] {
  const run =
    parent === "run_id"
      ? "SELECT k.parent AS run_id"
      : `SELECT coalesce((SELECT t.run_id FROM completed.tests AS t WHERE t.id = k.parent), ${runOfKeptTest("k.parent")})
           WHERE NOT EXISTS (SELECT 1 FROM ${part}.tests AS p WHERE p.id = k.parent)`;
  return preparedIds<[]>(
    db,
    `SELECT DISTINCT (${run}) AS run FROM temp.children AS k
       WHERE k.part = ${quoteText(part)} AND k.table_name = ${quoteText(table)}
         AND EXISTS (SELECT 1 FROM completed.mtjobs_runs AS r WHERE r.run_id = run AND r.state = 'moved')
         AND NOT EXISTS (SELECT 1 FROM ${part}.runs AS p WHERE p.id = run)`,
  ).all();
}

/** A mark above every id dates from a cache that was recreated since: it is ignored. */
function seenUpTo({ db }: Pick<JobSession, "db">, part: Source, table: string): bigint | undefined {
  const highest = largestId(db, `${part}.${table}`) ?? 0n;
  const seen = preparedIds<[string, string]>(
    db,
    "SELECT id FROM completed.mtjobs_seen WHERE part = ? AND table_name = ?",
  ).get(part, table);
  return seen === undefined || seen > highest ? undefined : seen;
}

/**
 * Returns up to which ids steps and data count as searched once `writeSeen` commits: call before the search. Only below
 * the guards: above them Megatest gives an id again when its row was the highest and is deleted.
 */
export function readSeen(session: JobSession): SearchedUpTo[] {
  return endsOf(session).map(({ part, table, highest, guard }) => [
    part,
    table,
    highest < guard ? highest : guard,
  ]);
}

/** Rows above the guards that each job may search again. */
const mostSearchedAgain = 50_000n;

/** Returns true if the guards should be raised, so that the next jobs have less to search. */
export function areGuardsFarBelow(session: JobSession): boolean {
  return endsOf(session).some(({ highest, guard }) => highest - guard > mostSearchedAgain);
}

/** Returns the highest ids of steps and data, and their guards'; 0 for a guard that is missing. */
function endsOf({ db, sources }: JobSession) {
  return sources.flatMap((part) => {
    const { ids } = readHidden(db, part, guardName);
    return reportTables.map((table) => ({
      ...{ part, table },
      highest: largestId(db, `${part}.${table}`) ?? 0n,
      guard: ids[table] ?? 0n,
    }));
  });
}

export function writeSeen(session: JobSession, seen: readonly SearchedUpTo[]): void {
  session.commitOnce("completed", () => {
    const write = session.db.prepare("INSERT OR REPLACE INTO completed.mtjobs_seen VALUES (?, ?, ?)");
    for (const entry of seen) write.run(...entry);
  });
}
