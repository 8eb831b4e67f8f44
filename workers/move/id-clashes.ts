import { setImmediate as yieldNow } from "node:timers/promises";
import { proveToken } from "../fence.ts";
import { columnList, sameRow } from "../sqlite/row-sql.ts";
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
  if (empty || (held && !isRepairPending(move))) return 0;
  // From here on guards may stand while clashes are left: a job that dies in between must look again.
  await outwaitBusy(context.signal, () => beginRepair(move));
  const room = await noteSharedIds(move);
  context.failpoint("clash-noted");
  const guards = await outwaitBusy(context.signal, () => raiseGuards(move, beforeCommit, room));
  context.failpoint("clash-guarded");
  return outwaitBusy(context.signal, () => renumber(move, guards, room));
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
    const name = planOf(move, table).naturalKey;
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
  const name = columnList(planOf(move, table).naturalKey, "x");
  const ends = move.db
    .prepare<[number], number | null>(
      `SELECT max(id) FROM (SELECT id FROM completed.${table} WHERE id > ? ORDER BY id LIMIT 5000)`,
    )
    .pluck();
  const note = move.db.prepare(
    `INSERT INTO temp.shared_${table} SELECT x.id, ${name} FROM completed.${table} AS d
     CROSS JOIN ${part}.${table} AS x ON x.id = d.id WHERE d.id > ? AND d.id <= ?`,
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
    withoutTriggers(move, () => {
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

function clashingIds({ db, records }: Move, table: IdentifiedTable): number[] {
  const name = planOf({ records }, table).naturalKey;
  return db
    .prepare<[], number>(
      `SELECT DISTINCT d.id FROM temp.shared_${table} AS x CROSS JOIN completed.${table} AS d ON d.id = x.id
       WHERE NOT (${sameRow("x", "d", name)}) ORDER BY d.id`,
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

/** Megatest's triggers would set last_update; the rows must stay as they were. They are back before the commit. */
function withoutTriggers({ db }: Move, body: () => void): void {
  const triggers = db
    .prepare<[], { name: string; sql: string }>(
      "SELECT name, sql FROM completed.sqlite_schema WHERE type = 'trigger'",
    )
    .all();
  for (const { name } of triggers) db.exec(`DROP TRIGGER completed."${name.replaceAll('"', '""')}"`);
  body();
  // The text of a trigger names no database: say where it belongs.
  for (const { sql } of triggers) {
    db.exec(sql.replace(/^(CREATE\s+TRIGGER\s+(?:IF\s+NOT\s+EXISTS\s+)?)/i, "$1completed."));
  }
}
