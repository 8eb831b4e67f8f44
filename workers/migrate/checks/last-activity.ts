import { gapName, guardName, notNamed } from "../../../shared/area-db/hidden-row-names.ts";
import { type IdentifiedTable, identifiedTables } from "../../../shared/area-db/record-tables.ts";
import { type Connection, prepared } from "../../../shared/sqlite/connection.ts";
import { lastOfNext, preparedIds, shownIdSql, walkIds } from "../../../shared/sqlite/ids.ts";
import { NameSet } from "../../../shared/sqlite/names.ts";
import type { RunId } from "../../../shared/sqlite/run-id.ts";
import { columnNames } from "../../../shared/sqlite/table.ts";
import { numericLifeOf as lifeOf, numericSeconds as seconds } from "../../../shared/sqlite/times.ts";
import { retryWhileBusy } from "../../area-db/transaction.ts";
import { sameRow } from "../../records/row-sql.ts";
import { isRunning } from "../../records/test-states.ts";

/** Rows per statement: a few milliseconds of a shared lock. */
const chunk = 5_000;

export interface RunningTest {
  run: RunId;
  /** Name and item path. */
  test: string;
  state: string;
  /** Its last activity, seconds since 1970. */
  sign: number;
}

export interface Activity {
  running: RunningTest[];
  /** The newest plausible activity after `since`, seconds since 1970. */
  newest: number | undefined;
  /** Tables with times in the future, which prove nothing. */
  ahead: number;
}

export interface Window {
  /** Seconds since 1970; older activity need not be exact. */
  since: number;
  /** Seconds since 1970; later times are implausible. */
  until: number;
}

type Side = "cache" | "area";

/** Reads each row's activity from its freshest side: the cache, plus rows that megatest.db has alone or newer. */
export async function readActivity(
  db: Connection,
  { hasCache, hasRef }: { hasCache: boolean; hasRef: boolean },
  window: Window,
  signal: AbortSignal,
): Promise<Activity> {
  const signs: Activity = { running: [], newest: undefined, ahead: 0 };
  for (const part of hasCache ? (["cache", "area"] as const) : (["area"] as const)) {
    for (const table of identifiedTables) {
      const { filter, sign } = await retryWhileBusy(signal, () => ({
        filter: freshRows(db, part, table, { hasCache, hasRef }),
        sign: signOf(db, part, table, new Set(columnNames(db, part, table)), { hasRef }),
      }));
      const where = `${filter} AND ${notNamed(table, "t", guardName, gapName) ?? "1"}`;
      if (sign !== undefined)
        await addActivity(db, { part, table, sign, where }, { ...window, signal }, signs);
      if (table === "tests")
        for await (const running of runningTests(db, part, {
          sign: sign ?? "0",
          where,
          since: window.since,
          signal,
        }))
          signs.running.push(running);
    }
  }
  return signs;
}

interface ActivityQuery {
  part: Side;
  table: IdentifiedTable;
  sign: string;
  where: string;
}

async function addActivity(
  db: Connection,
  query: ActivityQuery,
  { since, until, signal }: Window & { signal: AbortSignal },
  signs: Activity,
): Promise<void> {
  const { part, table, sign, where } = query;
  const read = () =>
    prepared<Record<string, number | bigint>, { newest: number | null; ahead: number }>(
      db,
      `SELECT max(sign) FILTER (WHERE sign <= :until) AS newest, count(*) FILTER (WHERE sign > :until) AS ahead
     FROM (SELECT ${sign} AS sign FROM ${part}.${table} AS t WHERE t.id BETWEEN :from AND :to AND ${sign} > :since AND ${where})`,
    );
  let ahead = 0;
  for await (const [from, to] of ranges(db, part, table, signal)) {
    const found = await retryWhileBusy(signal, () => read().get({ from, to, since, until }));
    if (found?.newest != null) signs.newest = Math.max(signs.newest ?? 0, found.newest);
    ahead += found?.ahead ?? 0;
  }
  if (ahead > 0) signs.ahead += 1;
}

async function* runningTests(
  db: Connection,
  part: Side,
  {
    sign,
    where,
    since,
    signal,
  }: Pick<ActivityQuery, "sign" | "where"> & { since: number; signal: AbortSignal },
): AsyncGenerator<RunningTest> {
  const read = () =>
    prepared<Record<string, number | bigint>, RunningTest>(
      db,
      `SELECT ${shownIdSql("t.run_id")} AS run, t.state AS state, ${sign} AS sign, coalesce(t.testname, '')
         || CASE WHEN coalesce(t.item_path, '') = '' THEN '' ELSE '/' || t.item_path END AS test
       FROM ${part}.tests AS t WHERE t.id BETWEEN :from AND :to AND ${isRunning(`${part}.tests`)} AND ${where}`,
    );
  for await (const [from, to] of ranges(db, part, "tests", signal))
    yield* await retryWhileBusy(signal, () => read().all({ from, to, since }));
}

function ranges(db: Connection, part: Side, table: IdentifiedTable, signal: AbortSignal) {
  const last = () => preparedIds<[bigint], bigint | null>(db, lastOfNext(`${part}.${table}`, chunk));
  return walkIds(signal, (from) => retryWhileBusy(signal, () => last().get(from)));
}

/** SQL: all rows of the cache; of megatest.db those missing there or changed since the last sync. */
function freshRows(
  db: Connection,
  part: Side,
  table: IdentifiedTable,
  { hasCache, hasRef }: { hasCache: boolean; hasRef: boolean },
): string {
  if (part === "cache" || !hasCache) return "1";
  const missing = `NOT EXISTS (SELECT 1 FROM cache.${table} AS c WHERE c.id = t.id)`;
  return hasRef ? `(${missing} OR ${differsFromRef(db, part, table)})` : missing;
}

/** SQL: true if a row changed since the last sync. */
function differsFromRef(db: Connection, part: Side, table: IdentifiedTable): string {
  const there = new NameSet(columnNames(db, "ref", table));
  const shared = columnNames(db, part, table).filter((name) => there.has(name) && name !== "last_update");
  return `NOT EXISTS (SELECT 1 FROM ref.${table} AS r WHERE r.id = t.id AND ${sameRow("r", "t", shared)})`;
}

/** SQL: a row's last activity, seconds since 1970; undefined without a time. May use `:since`. */
function signOf(
  db: Connection,
  part: Side,
  table: IdentifiedTable,
  columns: ReadonlySet<string>,
  { hasRef }: { hasRef: boolean },
): string | undefined {
  const times: string[] = [];
  if (columns.has("event_time")) times.push(table === "tests" ? lifeOf("t") : seconds("t.event_time"));
  if (part === "cache" && columns.has("last_update")) {
    // In megatest.db it only records when a sync or refill ran.
    const update = seconds("t.last_update");
    times.push(
      hasRef
        ? `CASE WHEN ${update} > :since AND ${differsFromRef(db, part, table)} THEN ${update} ELSE 0 END`
        : update,
    );
  }
  const [first, second] = times;
  return second === undefined ? first : `max(${first}, ${second})`;
}
