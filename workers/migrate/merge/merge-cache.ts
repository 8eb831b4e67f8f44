import { idAbove, largestKept, largestReference } from "../../../shared/area-db/id-room.ts";
import type { IdentifiedTable } from "../../../shared/area-db/record-tables.ts";
import {
  type Connection,
  isConstraintError,
  prepared,
  quoteName,
  quoteText,
} from "../../../shared/sqlite/connection.ts";
import { largestId, preparedIds, smallestId } from "../../../shared/sqlite/ids.ts";
import { NameSet } from "../../../shared/sqlite/names.ts";
import { highestId } from "../../../shared/sqlite/run-id.ts";
import { columnNames, hasTable } from "../../../shared/sqlite/table.ts";
import { withSyncTriggers } from "../../../shared/sqlite/triggers.ts";
import type { AreaSession } from "../../records/area-session.ts";
import { indexChildren } from "../../records/child-index.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { columnList, rowLiteral } from "../../records/row-sql.ts";
import { commitSuperseded } from "../../records/superseded.ts";
import { clearTempTables } from "../../records/temp-tables.ts";
import { type Ancestor, copyFromCache, replaceInArea } from "./copy-home-rows.ts";
import {
  assertComparable,
  attachDivergent,
  type DivergentFiles,
  divergentColumns,
  ParentIds,
  RowMatch,
} from "./match-rows.ts";
import { mergeAreaRows } from "./merge-area-rows.ts";

export interface MergeOptions extends DivergentFiles {
  /** The home's databases, under the lease, with a cache. */
  session: AreaSession;
}

export interface Merged {
  merged: number;
  kept: number;
}

/** Rows per lock on the cache. */
const chunk = 100;

/**
 * Merges a divergent cache into the home, parents first. May be repeated. If both changed a row, the home's stays and
 * the other is kept in completed-runs.db.
 */
export async function mergeCache({ session, ...files }: MergeOptions): Promise<Merged> {
  const { db, records } = session;
  const detach = attachDivergent(db, files);
  try {
    await session.read(() => assertComparable(session));
    const total: Merged = await mergeAreaRows(session, files);
    await indexChildren(session, "cache");
    const parents = new ParentIds(session);
    const ancestors = (["base", "ref"] as const).filter((name) =>
      name === "base" ? files.base !== undefined : session.sources.includes(name),
    );
    for (const record of records) {
      if (!hasTable(db, "stray", record.table) || record.columnsIn("cache").length === 0) continue;
      const match = await session.read(() => new RowMatch(session, record, parents, files));
      // Before the lock, since it may scan tables.
      const referred = await session.read(() => largestReferred(session, record));
      let ids: bigint[] = [];
      const next = (from: bigint) => {
        ids = preparedIds<{ from: bigint }>(db, match.candidates(chunk)).all({ from });
        return ids.at(-1);
      };
      for await (const _ of session.idRangesBy(next)) {
        const { merged, kept } = await settle({ session, record, match, parents, ancestors, referred, ids });
        total.merged += merged;
        total.kept += kept;
      }
    }
    return total;
  } finally {
    detach();
  }
}

interface Settling {
  session: AreaSession;
  record: RecordPlan;
  match: RowMatch;
  parents: ParentIds;
  ancestors: readonly Ancestor[];
  /** No new id may be one that rows refer to. */
  referred: bigint;
  ids: readonly bigint[];
}

async function settle(settling: Settling): Promise<Merged> {
  const { session, record, parents, ancestors } = settling;
  const { db, sources } = session;
  // Under the lock: a client may register the same row.
  const written = await session.read(() => {
    clearTempTables(db, "superseded");
    return session.commitOnce("cache", () => {
      parents.forget();
      return withSyncTriggers(db, "cache", () => settling.ids.map((id) => apply(settling, id)));
    });
  });
  const kept = written.filter((home) => home === "kept").length;
  if (kept > 0) await commitSuperseded(session);
  const homes = written.filter((home) => typeof home === "bigint");
  if (record.synced && homes.length > 0) {
    // In the order of Megatest's sync.
    const displaced = await replaceInArea(session, record, homes, ancestors);
    if (sources.includes("ref"))
      await session.commit("ref", () => copyFromCache(session, record, "ref", homes));
    return { merged: homes.length, kept: kept + displaced };
  }
  return { merged: homes.length, kept };
}

/** Returns the row's id at home if it was written, `kept` if it stays aside. */
function apply(settling: Settling, id: bigint): bigint | "kept" | undefined {
  const { session, record, match } = settling;
  const verdict = match.judge(id);
  if (verdict.does === "nothing") return undefined;
  if (verdict.does === "keep") {
    keep(session, record, id, verdict.home ?? id, verdict.reason);
    return "kept";
  }
  session.db.exec("SAVEPOINT one_row");
  try {
    return verdict.does === "update"
      ? update(session, record, id, verdict.home)
      : insert(settling, id, verdict.parent);
  } catch (error) {
    // A constraint of the site's own. A trigger's RAISE(ROLLBACK) leaves no transaction.
    if (!isConstraintError(error) || !session.db.inTransaction) throw error;
    session.db.exec("ROLLBACK TO one_row");
    const home = verdict.does === "update" ? verdict.home : id;
    keep(session, record, id, home, `the home rejects it: ${error.message}`);
    return "kept";
  } finally {
    if (session.db.inTransaction) session.db.exec("RELEASE one_row");
  }
}

function update(session: AreaSession, record: RecordPlan, id: bigint, home: bigint): bigint {
  const columns = divergentColumns(session, record);
  prepared<[bigint, bigint]>(
    session.db,
    `UPDATE OR ABORT cache.${record.table} SET (${columnList(columns)}) =
       (SELECT ${columnList(columns, "s")} FROM stray.${record.table} AS s WHERE s.id = ?) WHERE id = ?`,
  ).run(id, home);
  return home;
}

function insert({ session, record, referred }: Settling, id: bigint, parent: bigint | null): bigint {
  const { db } = session;
  const { table } = record;
  const columns = divergentColumns(session, record);
  const above =
    record.parent === null ? { names: [], values: "" } : { names: [record.parent], values: ":parent, " };
  const home = isFree(session, record, id) ? id : nextId(session, record, referred);
  prepared<{ home: bigint; id: bigint; parent: bigint | null }>(
    db,
    `INSERT OR ABORT INTO cache.${table} (${columnList(["id", ...above.names, ...columns])})
     SELECT :home, ${above.values}${columnList(columns, "s")} FROM stray.${table} AS s
     WHERE s.id = :id`,
  ).run({ home, id, parent });
  return home;
}

/** Checks that an id is free at home. In megatest.db, its own sync may have written the row under it. */
function isFree(
  { db, sources }: AreaSession,
  { table, synced, naturalKey }: RecordPlan,
  id: bigint,
): boolean {
  const taken = (part: string, unless: string) =>
    prepared<[bigint], number>(
      db,
      `SELECT EXISTS (SELECT 1 FROM stray.${table} AS s CROSS JOIN ${part}.${table} AS x ON x.id = s.id
         WHERE s.id = ? AND NOT (${unless}))`,
    )
      .pluck()
      .get(id) === 1;
  if (!synced) return !taken("cache", "0");
  const named = naturalKey.map((name) => `x.${quoteName(name)} IS s.${quoteName(name)}`).join(" AND ");
  if (table === "tests" && isKept(db, id)) return false;
  return [...sources, "completed"].every((part) => !taken(part, part === "area" ? named : "0"));
}

/** Returns true if versions of a test are kept under the id: those of its steps and data name it. */
function isKept(db: Connection, test: bigint): boolean {
  const sql = `SELECT EXISTS (SELECT 1 FROM completed.mtjobs_superseded WHERE table_name = 'tests' AND row_id = ?)`;
  return prepared<[bigint], number>(db, sql).pluck().get(test) === 1;
}

const largest = (ids: readonly bigint[]) => ids.reduce((a, b) => (a > b ? a : b));

function largestReferred({ db, sources }: AreaSession, { table, synced }: RecordPlan): bigint {
  if (!synced) return 0n;
  return largest(
    [...sources, "completed" as const].map((part) => largestReference(db, part, table as IdentifiedTable)),
  );
}

/** Returns an id above all others; for a table that never syncs, below if none is free above. */
function nextId({ db, sources }: AreaSession, { table, synced }: RecordPlan, referred: bigint): bigint {
  const parts = synced ? ([...sources, "completed"] as const) : (["cache"] as const);
  const highest = largest(parts.map((part) => largestId(db, `${part}.${table}`) ?? 0n));
  if (synced) {
    const named = table as IdentifiedTable;
    return idAbove(named, largest([highest, referred, largestKept(db, named)]));
  }
  return highest < highestId ? highest + 1n : (smallestId(db, `cache.${table}`) ?? 0n) - 1n;
}

function keep(session: AreaSession, record: RecordPlan, id: bigint, home: bigint, reason: string): void {
  const { db } = session;
  const columns = columnNames(db, "stray", record.table);
  const there = new NameSet(columns);
  const carried = record.carried("cache", "completed").filter((name) => there.has(name));
  prepared<[bigint, string, string, bigint]>(
    db,
    `INSERT INTO temp.superseded (table_name, row_id, source, reason, columns, row, carried)
     SELECT ${quoteText(record.table)}, ?, 'stray', ?, ?, ${rowLiteral("s", columns)}, ${rowLiteral("s", carried)}
     FROM stray.${record.table} AS s WHERE s.id = ?`,
  ).run(home, reason, JSON.stringify(columns), id);
}
