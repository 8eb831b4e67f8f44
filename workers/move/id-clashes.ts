import { setImmediate as yieldNow } from "node:timers/promises";
import { columnList, rowLiteral, sameRow } from "../../shared/sqlite/row-sql.ts";
import { withoutAnyTriggers } from "../../shared/sqlite/triggers.ts";
import { proveToken } from "../fence.ts";
import { type GuardIds, guardsHold, raiseGuards } from "./id-guards.ts";
import { type Move, planOf, type Source } from "./move.ts";
import { type IdentifiedTable, identifiedTables } from "./record-tables.ts";
import { outwaitBusy, transact } from "./transaction.ts";

/**
 * Finds ids that stand for one record in completed-runs.db and for another in megatest.db or the cache:
 * Megatest's clean-up removes the guards, and ids are handed out again. Our rows give way and take new ids
 * throughout; `mtjobs_renumbered` says which.
 *
 * Where the guards stand nothing can have happened, and nothing is looked at.
 */
export async function repairIdClashes(move: Move, beforeCommit: () => void): Promise<number> {
  const { db, context } = move;
  const empty = db.prepare("SELECT NOT EXISTS (SELECT 1 FROM completed.runs)").pluck().get() === 1;
  const held = await outwaitBusy(context.signal, () => guardsHold(move));
  const standIns = await outwaitBusy(context.signal, () => hasNewRunUnderOldId(move));
  if (empty || (held && !standIns && !isRepairPending(move))) return 0;
  // From here on guards may stand while clashes are left: a job that dies in between must look again.
  await outwaitBusy(context.signal, () => beginRepair(move));
  // Guards first: from then on no id is handed out that a moved row has, and what is noted is all there is.
  const raised = await outwaitBusy(context.signal, () => raiseGuards(move, beforeCommit));
  const room = await noteSharedIds(move);
  context.failpoint("clash-noted");
  const shared = Object.values(room).some((count) => count > 0);
  const guards = shared
    ? await outwaitBusy(context.signal, () => raiseGuards(move, beforeCommit, room))
    : raised;
  context.failpoint("clash-guarded");
  return outwaitBusy(context.signal, () => renumber(move, guards, room));
}

/**
 * One cheap look each job, as guards may have been lost and put back: a run whose id a moved run has, under
 * another name or begun at another time.
 */
function hasNewRunUnderOldId(move: Move): boolean {
  return move.sources.some(
    (part) =>
      move.db
        .prepare(
          `SELECT EXISTS (SELECT 1 FROM ${part}.runs AS x CROSS JOIN completed.runs AS d ON d.id = x.id
             WHERE ${isAnother(move, "runs")} AND ${isNoKnownVersion(move, part)})`,
        )
        .pluck()
        .get() === 1,
  );
}

/** SQL: the rows `x` and `d` of one id are two records. A run registered again under its old name began later. */
function isAnother(move: Move, table: IdentifiedTable): string {
  const { naturalKey, columnsIn } = planOf(move, table);
  const began = table === "runs" && columnsIn("completed").includes("event_time") ? ["event_time"] : [];
  return `NOT (${sameRow("x", "d", [...naturalKey, ...began])})`;
}

/** SQL: the run `x` is not an older version of the moved one that a sync or a refill has put back. */
function isNoKnownVersion(move: Move, part: Source): string {
  const carried = planOf(move, "runs").carried(part, "completed");
  return `NOT EXISTS (SELECT 1 FROM completed.mtjobs_superseded AS p WHERE p.table_name = 'runs'
    AND p.row_id = x.id AND p.carried = ${rowLiteral("x", carried)})`;
}

function isRepairPending({ db }: Move): boolean {
  return db.prepare("SELECT 1 FROM completed.mtjobs_seen WHERE part = 'repair'").get() !== undefined;
}

/** New rows may have come under low ids too, so what was looked at for late reports counts no more. */
function beginRepair({ db, token }: Move): void {
  transact(db, () => {
    proveToken(db, "completed", token, Date.now());
    db.exec("DELETE FROM completed.mtjobs_seen");
    writeRepairPending({ db }, true);
  });
}

function writeRepairPending({ db }: Pick<Move, "db">, pending: boolean): void {
  db.exec(
    pending
      ? "INSERT OR REPLACE INTO completed.mtjobs_seen VALUES ('repair', 'ids', 1)"
      : "DELETE FROM completed.mtjobs_seen WHERE part = 'repair'",
  );
}

/** Copies, for every id in use on both sides, how the source names its row; returns how many there are by table. */
async function noteSharedIds(move: Move): Promise<GuardIds> {
  const counts: Partial<GuardIds> = {};
  for (const table of identifiedTables) {
    const name = [...planOf(move, table).naturalKey, ...(table === "runs" ? ["event_time"] : [])];
    move.db.exec(`DROP TABLE IF EXISTS temp.shared_${table};
      CREATE TEMP TABLE shared_${table} (id INTEGER, ${columnList(name)})`);
    for (const part of move.sources) await noteSharedIn(move, part, table);
    counts[table] = move.db
      .prepare<[], number>(`SELECT count(DISTINCT id) FROM temp.shared_${table}`)
      .pluck()
      .get() as number;
  }
  return counts as GuardIds;
}

async function noteSharedIn(move: Move, part: Source, table: IdentifiedTable): Promise<void> {
  const named = [...planOf(move, table).naturalKey, ...(table === "runs" ? ["event_time"] : [])];
  const name = columnList(named, "x");
  const known = table === "runs" ? isNoKnownVersion(move, part) : "1";
  const ends = move.db
    .prepare<[number], number | null>(
      `SELECT max(id) FROM (SELECT id FROM completed.${table} WHERE id > ? ORDER BY id LIMIT 5000)`,
    )
    .pluck();
  const note = move.db.prepare(
    `INSERT INTO temp.shared_${table} SELECT x.id, ${name} FROM completed.${table} AS d
     CROSS JOIN ${part}.${table} AS x ON x.id = d.id WHERE d.id > ? AND d.id <= ? AND ${known}`,
  );
  let from = Number.MIN_SAFE_INTEGER;
  for (let to = ends.get(from) ?? null; to !== null; to = ends.get(from) ?? null) {
    const range = [from, to] as const;
    await outwaitBusy(move.context.signal, () => note.run(...range));
    from = to;
    await yieldNow();
  }
}

/** One transaction for all tables, parents first: a child whose parent took a new id is told from a new one of the old id. */
function renumber(move: Move, guards: GuardIds, room: GuardIds): number {
  const { db, token, context } = move;
  let total = 0;
  transact(db, () => {
    proveToken(db, "completed", token, Date.now());
    // Megatest's triggers would set last_update; the rows must stay as they were.
    withoutAnyTriggers(db, "completed", () => {
      for (const table of identifiedTables) {
        const clashing = clashingIds(move, table);
        total += clashing.length;
        clashing.forEach((old, index) => {
          giveNewId(move, table, old, guards[table] - room[table] + index);
        });
      }
    });
    writeRepairPending(move, false);
  });
  if (total > 0) {
    context.log(`${total} ids in completed-runs.db had been handed out again; its rows took new ids`);
    move.tally.warn(
      `${total} ids of moved rows had been handed out again by Megatest; the moved rows took new ids`,
    );
  }
  return total;
}

function clashingIds(move: Move, table: IdentifiedTable): number[] {
  const { db } = move;
  return db
    .prepare<[], number>(
      `SELECT DISTINCT d.id FROM temp.shared_${table} AS x CROSS JOIN completed.${table} AS d ON d.id = x.id
       WHERE ${isAnother(move, table)} ORDER BY d.id`,
    )
    .pluck()
    .all();
}

/** Columns that name an id of each table. */
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

function giveNewId({ db, context, records }: Move, table: IdentifiedTable, old: number, id: number): void {
  db.prepare(`UPDATE completed.${table} SET id = ? WHERE id = ?`).run(id, old);
  for (const [child, column] of references[table]) {
    if (child.startsWith("mtjobs_") || records.some((record) => record.table === child)) {
      db.prepare(`UPDATE completed.${child} SET ${column} = ? WHERE ${column} = ?`).run(id, old);
    }
  }
  db.prepare("INSERT INTO completed.mtjobs_renumbered VALUES (?, ?, ?, ?, ?)").run(
    table,
    old,
    id,
    context.jobId,
    Date.now(),
  );
}
