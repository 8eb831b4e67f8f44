import { type IdentifiedTable, identifiedTables } from "../../../shared/area-db/record-tables.ts";
import { prepared } from "../../../shared/sqlite/connection.ts";
import { idList, preparedIds } from "../../../shared/sqlite/ids.ts";
import { shownId } from "../../../shared/sqlite/run-id.ts";
import { withoutAnyTriggers } from "../../../shared/sqlite/triggers.ts";
import { plural } from "../../../shared/text.ts";
import type { Source } from "../../area-db/databases.ts";
import { planOf } from "../../records/record-session.ts";
import { columnList } from "../../records/row-sql.ts";
import type { JobSession } from "../session/job-session.ts";
import { areKeptGuarded, type GuardIds, guardsHold, hasIdsToGuard, raiseGuards } from "./id-guards.ts";
import { reusedKeptTests, type SharedKeptTests, sharedKeptTests } from "./kept-tests.ts";
import { versionsUnder, writeVersions } from "./renumber-versions.ts";
import { forgetRepair, isRepairPending, setRepairFlag } from "./repair-flag.ts";
import { identityOf, isAnother, isNoKnownVersion } from "./reused-ids.ts";

/**
 * Finds ids that belong to one record in completed-runs.db and to another in megatest.db or the cache: Megatest's
 * clean-up removes the guards, and then ids are reused. The moved rows get new ids throughout, as do the versions kept
 * of them and tests that are only kept, recorded in `mtjobs_renumbered`.
 *
 * While the guards hold there is nothing to check.
 */
export async function repairIdClashes(session: JobSession): Promise<number> {
  const { context } = session;
  if (!(await session.read(() => hasIdsToGuard(session)))) return 0;
  const held = await session.read(() => guardsHold(session));
  const standIns = await session.read(() => hasNewRunUnderOldId(session));
  const pending = await session.read(() => isRepairPending(session));
  const mayClash = !held || standIns || pending;
  // A kept id above the guards may have been given out again; those of rows are below them.
  if (!mayClash && (await session.read(() => areKeptGuarded(session)))) return 0;
  // From here on guards may hold while clashes remain: if this job dies, the next must check again.
  await session.read(() => setRepairFlag(session));
  // Guards first: then no id of a moved row can be reused, and the ids recorded are complete.
  const raised = await session.read(() => raiseGuards(session));
  const room = await noteSharedIds(session, mayClash);
  const kept = await sharedKeptTests(session);
  room.tests += BigInt(kept.size);
  context.failpoint("clash-noted");
  const shared = Object.values(room).some((count) => count > 0n);
  const guards = shared ? await session.read(() => raiseGuards(session, room)) : raised;
  context.failpoint("clash-guarded");
  const plan = await session.read(() => planNewIds(session, guards, room, kept));
  const versions = await versionsUnder(session, plan.newIds);
  return session.read(() => renumber(session, plan, versions));
}

/**
 * Returns true if a source has a run under a moved run's id with another name or start time. Checked by each job,
 * since guards may have been lost and restored.
 */
function hasNewRunUnderOldId(session: JobSession): boolean {
  const runs = planOf(session, "runs");
  return session.sources.some(
    (part) =>
      session.db
        .prepare(
          `SELECT EXISTS (SELECT 1 FROM ${part}.runs AS x CROSS JOIN completed.runs AS d ON d.id = x.id
             WHERE ${isAnother(runs)} AND ${isNoKnownVersion(runs, part)})`,
        )
        .pluck()
        .get() === 1,
  );
}

/**
 * Copies, for every id in use on both sides, the source's identifying columns; returns the counts by table.
 *
 * @param mayClash false: none is
 */
async function noteSharedIds(session: JobSession, mayClash: boolean): Promise<GuardIds> {
  const counts: Partial<GuardIds> = {};
  for (const table of identifiedTables) {
    session.db.exec(`DROP TABLE IF EXISTS temp.shared_${table};
      CREATE TEMP TABLE shared_${table} (id INTEGER, ${columnList(identityOf(planOf(session, table)))})`);
    if (mayClash) for (const part of session.sources) await noteSharedIn(session, part, table);
    const count = preparedIds<[]>(session.db, `SELECT count(DISTINCT id) FROM temp.shared_${table}`);
    counts[table] = count.get() ?? 0n;
  }
  return counts as GuardIds;
}

async function noteSharedIn(session: JobSession, part: Source, table: IdentifiedTable): Promise<void> {
  const plan = planOf(session, table);
  const name = columnList(identityOf(plan), "x");
  const known = table === "runs" ? isNoKnownVersion(plan, part) : "1";
  const note = () =>
    prepared<[bigint, bigint]>(
      session.db,
      `INSERT INTO temp.shared_${table} SELECT x.id, ${name} FROM completed.${table} AS d
     CROSS JOIN ${part}.${table} AS x ON x.id = d.id WHERE d.id BETWEEN ? AND ? AND ${known}`,
    );
  for await (const range of session.idRanges(`completed.${table}`, 5000))
    await session.read(() => note().run(...range));
}

interface NewIdsOfRows {
  newIds: Record<IdentifiedTable, Map<bigint, bigint>>;
  /** Tests that are only kept, among them. */
  keptTests: readonly bigint[];
}

/** Works out the new ids of rows and of kept tests, parents first. Under the lease nothing else changes them meanwhile. */
function planNewIds(
  session: JobSession,
  guards: GuardIds,
  room: GuardIds,
  shared: SharedKeptTests,
): NewIdsOfRows {
  const newIds = noNewIds();
  for (const table of identifiedTables) {
    clashingIds(session, table, newIds).forEach((old, index) => {
      newIds[table].set(old, guards[table] - room[table] + BigInt(index));
    });
  }
  const firstOfKept = guards.tests - room.tests + BigInt(newIds.tests.size);
  const keptTests = reusedKeptTests(session, shared, newIds);
  keptTests.forEach((old, index) => {
    newIds.tests.set(old, firstOfKept + BigInt(index));
  });
  return { newIds, keptTests };
}

/** One transaction for all tables and versions. */
function renumber(
  session: JobSession,
  { newIds, keptTests }: NewIdsOfRows,
  versions: Awaited<ReturnType<typeof versionsUnder>>,
): number {
  const { db, context, counts } = session;
  const isKept = new Set(keptTests);
  let total = 0;
  session.commitOnce("completed", () => {
    total = 0;
    // Megatest's triggers would set last_update; the rows must not change otherwise.
    withoutAnyTriggers(db, "completed", () => {
      for (const table of identifiedTables) {
        for (const [old, id] of newIds[table]) {
          if (table === "tests" && isKept.has(old)) noteNewId(session, table, old, id);
          else {
            giveNewId(session, table, old, id);
            total++;
          }
        }
      }
    });
    writeVersions(session, versions);
    forgetRepair(session);
  });
  for (const [old, id] of newIds.runs)
    for (const tally of Object.values(counts)) tally.renumber(shownId(old), shownId(id));
  if (total > 0) {
    context.log(`Megatest had reused ids: gave new ids to ${plural(total, "row")} of completed-runs.db.`);
    session.tally.warn(`Megatest had reused ids of moved rows: ${plural(total, "moved row")} got a new one`);
  }
  if (keptTests.length > 0)
    context.log(`Megatest had reused ids of tests kept as superseded: ${keptTests.length} got a new one.`);
  return total;
}

const noNewIds = () =>
  Object.fromEntries(identifiedTables.map((table) => [table, new Map()])) as Record<
    IdentifiedTable,
    Map<bigint, bigint>
  >;

/** A child whose parent gets a new id is none of the new record under the old one, whatever it is called. */
function clashingIds(
  session: JobSession,
  table: IdentifiedTable,
  newIds: Record<IdentifiedTable, ReadonlyMap<bigint, bigint>>,
): bigint[] {
  const plan = planOf(session, table);
  const { parent } = plan;
  const parents = parent === null ? [] : newIds[parent === "run_id" ? "runs" : "tests"].keys();
  return preparedIds<[string]>(
    session.db,
    `SELECT DISTINCT d.id FROM temp.shared_${table} AS x CROSS JOIN completed.${table} AS d ON d.id = x.id
       WHERE ${isAnother(plan)} OR d.${parent ?? "id"} IN (SELECT value FROM json_each(?)) ORDER BY d.id`,
  ).all(idList(parents));
}

/** Columns that refer to an id of each table. */
const references: Record<IdentifiedTable, readonly (readonly [string, string])[]> = {
  runs: [
    ["tests", "run_id"],
    ["run_stats", "run_id"],
    ["extradat", "run_id"],
    ["mtjobs_runs", "run_id"],
  ],
  tests: [
    ["test_steps", "test_id"],
    ["test_data", "test_id"],
    ["test_rundat", "test_id"],
    ["archives", "test_id"],
    ["mtjobs_archived", "test_id"],
  ],
  test_steps: [],
  test_data: [],
};

function giveNewId(session: JobSession, table: IdentifiedTable, old: bigint, id: bigint): void {
  const { db, records } = session;
  db.prepare(`UPDATE completed.${table} SET id = ? WHERE id = ?`).run(id, old);
  for (const [child, column] of references[table]) {
    if (child.startsWith("mtjobs_") || records.some((record) => record.table === child)) {
      db.prepare(`UPDATE completed.${child} SET ${column} = ? WHERE ${column} = ?`).run(id, old);
    }
  }
  noteNewId(session, table, old, id);
}

function noteNewId({ db, context }: JobSession, table: IdentifiedTable, old: bigint, id: bigint): void {
  const note = prepared(db, "INSERT INTO completed.mtjobs_renumbered VALUES (?, ?, ?, ?, ?)");
  note.run(table, old, id, context.jobId, Date.now());
}
