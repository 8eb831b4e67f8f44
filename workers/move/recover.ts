import type { RunLabel } from "../../shared/result.ts";
import { columnList, sameRow } from "../sqlite/row-sql.ts";
import { childrenOfSlice } from "./children.ts";
import { commitStates, discardCopies, PendingStates, type RunState } from "./copy.ts";
import { defaultDeadAfterMs, targetSql } from "./judge.ts";
import { comparedColumns } from "./mismatch.ts";
import type { Move } from "./move.ts";
import type { RemovalLine } from "./removal-line.ts";
import { runRows } from "./run-rows.ts";
import { clearScratch } from "./scratch.ts";
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
    if (await outwaitBusy(context.signal, () => isUntouched(move, run.id))) untouched.push(run);
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
    if (await outwaitBusy(context.signal, () => isAlive(move, run.id, deadAfterMs))) {
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

/** True where every row of the copy still stands in the freshest source, as it was copied. */
function isUntouched(move: Move, run: number): boolean {
  return hasSyncedRows(move, run) && hasUnsyncedRows(move, run);
}

/** Rows of tables that never sync may have come from a cache that is gone: then the copy is the only one. */
function hasUnsyncedRows({ db, fresh, records }: Move, run: number): boolean {
  clearScratch(db, "slice_runs", "slice_tests");
  db.prepare("INSERT INTO temp.slice_runs VALUES (?)").run(run);
  db.prepare("INSERT INTO temp.slice_tests SELECT id FROM completed.tests WHERE run_id = ?").run(run);
  return records
    .filter(({ synced }) => !synced)
    .every((record) => {
      const columns = record.columnsIn(fresh);
      const slice = record.parent === "run_id" ? "slice_runs" : "slice_tests";
      const copied = `SELECT ${columnList(columns, "d")} FROM temp.${slice} AS s
        CROSS JOIN completed.${record.table} AS d ON d.${record.parent} = s.id`;
      if (columns.length === 0)
        return (
          db
            .prepare(`SELECT EXISTS (SELECT 1 FROM temp.${slice} AS s
        CROSS JOIN completed.${record.table} AS d ON d.${record.parent} = s.id)`)
            .pluck()
            .get() === 0
        );
      const there = `SELECT ${columnList(columns, "x")} FROM ${childrenOfSlice(fresh, record, "x")}`;
      return (
        db
          .prepare(
            `SELECT EXISTS (${unmatchedRows(copied, there, { columns, compared: columns, mixed: record.mixed })})`,
          )
          .pluck()
          .get() === 0
      );
    });
}

function hasSyncedRows({ db, fresh, records }: Move, run: number): boolean {
  return records
    .filter(({ synced }) => synced)
    .every((record) => {
      const { table, parent } = record;
      const from =
        parent === null
          ? `completed.runs AS d WHERE d.id = :run`
          : parent === "run_id"
            ? `completed.${table} AS d WHERE d.run_id = :run`
            : `completed.tests AS t CROSS JOIN completed.${table} AS d ON d.test_id = t.id WHERE t.run_id = :run`;
      const columns = comparedColumns(fresh, record, fresh).filter((name) => name !== "archived");
      const missing = `SELECT ${columnList(["id"], "d")} FROM ${from}
        AND NOT EXISTS (SELECT 1 FROM ${fresh}.${table} AS x WHERE x.id = d.id AND ${sameRow("x", "d", columns, record.mixed)})`;
      return db.prepare(`SELECT EXISTS (${missing})`).pluck().get({ run }) === 0;
    });
}

/** True where a test of the run may still report: then its rows must not go now. */
export function isAlive({ db, fresh }: Move, run: number, deadAfterMs: number): boolean {
  const life =
    "coalesce(CAST(t.event_time AS INTEGER), 0) + max(0, coalesce(CAST(t.run_duration AS INTEGER), 0))";
  return (
    db
      .prepare(
        `SELECT EXISTS (SELECT 1 FROM ${fresh}.tests AS t WHERE t.run_id = :run AND ${life} >= :since
           AND ${isUnfinished(`${fresh}.tests`)})`,
      )
      .pluck()
      .get({ run, since: (Date.now() - deadAfterMs) / 1000 }) === 1
  );
}
