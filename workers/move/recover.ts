import { performance } from "node:perf_hooks";
import { setImmediate as yieldNow } from "node:timers/promises";
import type { RunLabel } from "../../shared/result.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { columnList, sameRow } from "../../shared/sqlite/row-sql.ts";
import { childrenOfSlice } from "./children.ts";
import { commitStates, discardCopies, PendingStates, type RunState } from "./copy.ts";
import { defaultDeadAfterMs, targetSql } from "./judge.ts";
import { comparedColumns } from "./mismatch.ts";
import type { Move } from "./move.ts";
import type { RecordPlan } from "./record-tables.ts";
import type { RemovalLine } from "./removal-line.ts";
import { runRows } from "./run-rows.ts";
import { enterSlice, gatherTests, type Slice, SliceCutter } from "./slices.ts";
import { isUnfinished } from "./test-states.ts";
import { outwaitBusy } from "./transaction.ts";
import { unmatchedRows } from "./unsynced-rows.ts";

/**
 * Finishes or undoes what a job that died left. A copy of which nothing was removed is taken back: the run
 * is whole where it was, and may be chosen anew. Where removing had begun there is only one way: forward.
 */
export async function finishInterrupted(
  move: Move,
  line: RemovalLine,
  deadAfterMs = defaultDeadAfterMs,
): Promise<void> {
  const { context, tally } = move;
  const copying = runsIn(move, "copying");
  const removing = runsIn(move, "removing");
  const untouched: RunLabel[] = [];
  for (const run of removing) {
    if (await isUntouched(move, run.id)) untouched.push(run);
  }
  const undone = [...copying, ...untouched];
  for (const { id } of undone) {
    await outwaitBusy(context.signal, () => discardCopies(move, [id]));
    context.failpoint("taken-back");
  }
  if (undone.length > 0) context.log(`${undone.length} copies of an interrupted job were taken back.`);
  const pending = new PendingStates();
  for (const run of removing.filter((candidate) => !untouched.includes(candidate))) {
    context.signal.throwIfAborted();
    if (await isAlive(move, run.id, deadAfterMs)) {
      tally.skip(run, "in-flight");
      tally.warn(
        `run ${run.id} (${run.target}/${run.runname}) is half moved and alive again: the next job finishes it`,
      );
      continue;
    }
    const report = await line.remove([run.id], true);
    tally.superseded += report.superseded;
    tally.late += report.late;
    const rows = await outwaitBusy(context.signal, () => runRows(move, [run.id]));
    for (const [table, count] of rows) tally.moved[table] += count;
    tally.movedRun(run);
    pending.set([run.id], "moved");
    await outwaitBusy(context.signal, () => commitStates(move, pending));
    context.failpoint("resumed");
    context.log(`Run ${run.id} (${run.target}/${run.runname}), half moved by an interrupted job, is moved.`);
  }
}

function runsIn({ db, keys }: Move, state: RunState): RunLabel[] {
  return db
    .prepare<[string], RunLabel>(
      `SELECT m.run_id AS id, ${targetSql(keys, "r")} AS target, coalesce(r.runname, '') AS runname
       FROM completed.mtjobs_runs AS m LEFT JOIN completed.runs AS r ON r.id = m.run_id
       WHERE m.state = ? ORDER BY m.run_id`,
    )
    .all(state);
}

/** True where every row of the copy still stands in the freshest source, as it was copied. Looks at a slice at a time. */
async function isUntouched(move: Move, run: number): Promise<boolean> {
  const { db, context, pace } = move;
  const counts = await outwaitBusy(context.signal, () => gatherTests(db, [run], ["completed"]));
  const cutter = new SliceCutter(db, counts, () => pace.size);
  for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
    const current = slice;
    if (!(await outwaitBusy(context.signal, () => isSliceUntouched(move, current)))) return false;
    await yieldNow();
  }
  return true;
}

function isSliceUntouched(move: Move, slice: Slice): boolean {
  const { db, pace, records } = move;
  const tests = enterSlice(db, slice);
  const started = performance.now();
  const missing = records.some((record) => {
    const sql = record.synced ? missingSynced(move, record) : missingUnsynced(move, record);
    return prepared(db, `SELECT EXISTS (${sql})`).pluck().get() === 1;
  });
  pace.hold(performance.now() - started);
  pace.settle(tests);
  return !missing;
}

/** A SELECT of the rows of the slice's copy that the freshest source has not, or otherwise. */
function missingSynced({ fresh }: Move, record: RecordPlan): string {
  const { table } = record;
  const columns = comparedColumns(fresh, record, fresh).filter((name) => name !== "archived");
  return `SELECT 1 FROM ${copiesOfSlice(record)}
    WHERE NOT EXISTS (SELECT 1 FROM ${fresh}.${table} AS x WHERE x.id = d.id AND ${sameRow("x", "d", columns, record.mixed)})`;
}

/** Rows of tables that never sync may have come from a cache that is gone: then the copy is the only one. */
function missingUnsynced({ fresh }: Move, record: RecordPlan): string {
  const columns = record.columnsIn(fresh);
  if (columns.length === 0) return `SELECT 1 FROM ${copiesOfSlice(record)}`;
  const copied = `SELECT ${columnList(columns, "d")} FROM ${copiesOfSlice(record)}`;
  const there = `SELECT ${columnList(columns, "x")} FROM ${childrenOfSlice(fresh, record, "x")}`;
  return unmatchedRows(copied, there, { columns, compared: columns, mixed: record.mixed });
}

/** The slice's rows in completed-runs.db, bound to `d`. */
function copiesOfSlice({ table, parent }: RecordPlan): string {
  if (table === "tests") return "temp.slice_tests AS s CROSS JOIN completed.tests AS d ON d.id = s.id";
  if (parent === null) return "temp.slice_runs AS s CROSS JOIN completed.runs AS d ON d.id = s.id";
  return `temp.${parent === "run_id" ? "slice_runs" : "slice_tests"} AS s
    CROSS JOIN completed.${table} AS d ON d.${parent} = s.id`;
}

/** Tests looked at in one statement: a few milliseconds of a shared lock. */
const chunk = 2_000;

/** True where a test of the run may still report: then its rows must not go now. */
export async function isAlive(move: Move, run: number, deadAfterMs: number): Promise<boolean> {
  const { db, fresh, context } = move;
  const life =
    "coalesce(CAST(t.event_time AS INTEGER), 0) + max(0, coalesce(CAST(t.run_duration AS INTEGER), 0))";
  const alive = prepared<[number, number], number>(
    db,
    `SELECT EXISTS (SELECT 1 FROM temp.slice_tests AS s CROSS JOIN ${fresh}.tests AS t ON t.id = s.id
       WHERE t.run_id = ? AND ${life} >= ? AND ${isUnfinished(`${fresh}.tests`)})`,
  ).pluck();
  const since = (Date.now() - deadAfterMs) / 1000;
  const counts = await outwaitBusy(context.signal, () => gatherTests(db, [run], [fresh]));
  const cutter = new SliceCutter(db, counts, () => chunk);
  for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
    enterSlice(db, slice);
    if ((await outwaitBusy(context.signal, () => alive.get(run, since))) === 1) return true;
    await yieldNow();
  }
  return false;
}
