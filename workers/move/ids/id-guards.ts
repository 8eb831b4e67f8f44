import { guardName } from "../../../shared/area-db/hidden-row-names.ts";
import { guardComment, isWhole, readHidden, writeHidden } from "../../../shared/area-db/hidden-rows.ts";
import type { TableIds } from "../../../shared/area-db/hidden-values.ts";
import { idAbove, largestKept, largestReference } from "../../../shared/area-db/id-room.ts";
import { type IdentifiedTable, identifiedTables } from "../../../shared/area-db/record-tables.ts";
import { type Connection, prepared } from "../../../shared/sqlite/connection.ts";
import { largestId } from "../../../shared/sqlite/ids.ts";
import type { Source } from "../../area-db/databases.ts";
import type { JobSession } from "../session/job-session.ts";
import { setRepairFlag } from "./repair-flag.ts";

// SQLite hands out max(id) + 1, so once the newest run has moved its id would be reused. A hidden row with an id
// above every id in completed-runs.db prevents that: a run in state `deleted`, its test in state DELETED, and a step
// and a datum without a test, since a clean-up would leave those behind, and they would pass for rows of the next
// test with that id.
//
// The same rows are in cache, ref and megatest.db, so that Megatest's sync and refill find nothing to do.

export type GuardIds = TableIds;

/** Returns the guards of a database; undefined if one is missing. */
function readGuards(db: Connection, part: Source): GuardIds | undefined {
  const { ids } = readHidden(db, part, guardName);
  return isWhole(ids) ? ids : undefined;
}

/** Returns true if every source has the same permanent guards, above all ids of rows in completed-runs.db. */
export function guardsHold({ db, sources }: Pick<JobSession, "db" | "sources">): boolean {
  const all = sources.map((part) => readHidden(db, part, guardName));
  if (!all.every(({ areLasting }) => areLasting)) return false;
  return identifiedTables.every((table) => {
    const ids = new Set(all.map((guards) => guards.ids[table]));
    const [id] = ids;
    return ids.size === 1 && id !== undefined && id > highestId(db, "completed", table);
  });
}

/** Returns true if the guards are also above the ids of all kept versions. */
export function areKeptGuarded({ db, sources }: Pick<JobSession, "db" | "sources">): boolean {
  return sources.every((part) => {
    const { ids } = readHidden(db, part, guardName);
    return identifiedTables.every((table) => (ids[table] ?? 0n) > largestKept(db, table));
  });
}

/** SQL: versions are kept, and a run has moved before, even if completed-runs.db has none now. A restore leaves versions. */
const hasKeptOfMoved = `EXISTS (SELECT 1 FROM completed.mtjobs_superseded)
  AND (EXISTS (SELECT 1 FROM completed.mtjobs_seen) OR EXISTS (SELECT 1 FROM completed.mtjobs_purged))`;

/** Returns true if completed-runs.db has ids that no other row may get. */
export function hasIdsToGuard({ db }: Pick<JobSession, "db">): boolean {
  const sql = `SELECT EXISTS (SELECT 1 FROM completed.runs) OR ${hasKeptOfMoved}`;
  return prepared<[], number>(db, sql).pluck().get() === 1;
}

/**
 * Returns true if a clean-up has removed guards, or the first ones come after versions were kept: ids of these may have
 * been reused since.
 */
function areGuardsLost({ db, sources }: JobSession): boolean {
  const any = `SELECT EXISTS (SELECT 1 FROM completed.mtjobs_runs WHERE state <> 'copying')
    OR EXISTS (SELECT 1 FROM completed.mtjobs_superseded)`;
  if (sources.every((part) => readGuards(db, part) !== undefined)) return false;
  return prepared<[], number>(db, any).pluck().get() === 1;
}

/** Returns true if a kept id is above guards that stand: it may have been given out again since its row was removed. */
function areKeptAbove(session: JobSession): boolean {
  const { db, sources } = session;
  return sources.every((part) => readGuards(db, part) !== undefined) && !areKeptGuarded(session);
}

/** Returns true if these ids are below the guards, so that Megatest gives none of them to another row. */
export function areGuarded(
  session: Pick<JobSession, "db" | "sources" | "fresh">,
  ids: Partial<GuardIds>,
): boolean {
  if (!guardsHold(session)) return false;
  const guards = readGuards(session.db, session.fresh);
  return identifiedTables.every((table) => (ids[table] ?? 0n) < (guards?.[table] ?? 0n));
}

/** Returns true if the run's id is below the guard; then so are its tests' ids, unless they came late. */
function isGuarded({ db, fresh }: Pick<JobSession, "db" | "fresh">, run: bigint): boolean {
  return (readGuards(db, fresh)?.runs ?? 0n) > run;
}

function highestId(db: Connection, part: string, table: IdentifiedTable): bigint {
  return largestId(db, `${part}.${table}`) ?? 0n;
}

/**
 * Writes guards above every id of all databases, first where ids are handed out, then to the others.
 *
 * @param room ids left free below each guard, for rows that must be renumbered
 */
export function raiseGuards(session: JobSession, room: Partial<GuardIds> = {}): GuardIds {
  const { db, sources } = session;
  if (areGuardsLost(session) || areKeptAbove(session)) setRepairFlag(session);
  let ids: GuardIds | undefined;
  for (const part of sources) {
    // The other databases are read before this one is locked.
    const elsewhere = idsAbove(session, room);
    ids = session.commitOnce(part, () => {
      const guards = ids ?? raiseAbove(db, part, elsewhere, room);
      writeGuards(session, part, guards);
      return guards;
    });
    session.context.failpoint(`guarded-in-${part}`);
  }
  if (ids === undefined) throw new TypeError("an area without megatest.db");
  return ids;
}

/** Raises the guards once for all chosen runs; otherwise each batch would raise them again. */
export async function guardNewest(session: JobSession, runs: readonly bigint[]): Promise<void> {
  const newest = runs.at(-1);
  if (newest === undefined) return;
  const guarded = await session.read(
    () => guardsHold(session) && areKeptGuarded(session) && isGuarded(session, newest),
  );
  if (guarded) return;
  await session.read(() => raiseGuards(session));
  session.context.failpoint("guarded");
}

/** Raises the guards unless they are above every id in completed-runs.db, kept ones too. */
export async function guardAgain(session: JobSession): Promise<void> {
  if (await session.read(() => guardsHold(session) && areKeptGuarded(session))) return;
  await session.read(() => raiseGuards(session));
  session.context.failpoint("guarded");
}

function idsAbove({ db, sources }: JobSession, room: Partial<GuardIds>): GuardIds {
  const parts = [...sources, "completed"] as const;
  const highest = (table: IdentifiedTable) =>
    largest([
      ...parts.map((part) => highestId(db, part, table)),
      // A test may be only kept, and its steps name it: no other may get its id.
      largestKept(db, table),
      // Only ids that mtjobs hands out itself: what Megatest hands out is its own.
      ...((room[table] ?? 0n) > 0n ? parts.map((part) => largestReference(db, part, table)) : []),
    ]);
  return Object.fromEntries(
    identifiedTables.map((table) => [table, idAbove(table, highest(table), room[table])]),
  ) as GuardIds;
}

/** Checks again under the lock: a client may have registered rows since. */
function raiseAbove(db: Connection, part: Source, ids: GuardIds, room: Partial<GuardIds>): GuardIds {
  return Object.fromEntries(
    identifiedTables.map((table) => [
      table,
      largest([ids[table], idAbove(table, highestId(db, part, table), room[table])]),
    ]),
  ) as GuardIds;
}

function largest(ids: readonly bigint[]): bigint {
  return ids.reduce((highest, id) => (id > highest ? id : highest));
}

function writeGuards({ db, keys }: JobSession, part: Source, ids: GuardIds): void {
  writeHidden(db, part, { name: guardName, ids, keys, comment: guardComment });
}
