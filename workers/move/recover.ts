import { performance } from "node:perf_hooks";
import { setImmediate as yieldNow } from "node:timers/promises";
import { targetSql } from "../../shared/patterns.ts";
import { plural } from "../../shared/plural.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { commitStates, PendingStates, type RunState } from "./copy.ts";
import { countRemoval } from "./count-removal.ts";
import { discardCopies } from "./discard.ts";
import { guardAgain } from "./id-guards.ts";
import { defaultDeadAfterMs } from "./judge.ts";
import { LargeTests } from "./large-tests.ts";
import { isAlive } from "./live-tests.ts";
import type { Move } from "./move.ts";
import type { RemovalLine } from "./removal-line.ts";
import { dropRestored, letGo, undoRestore } from "./restore-runs.ts";
import { labelOf, type Run } from "./run.ts";
import { runRows } from "./run-rows.ts";
import { enterSlice, gatherTests, type Slice, SliceCutter } from "./slices.ts";
import { outwaitBusy } from "./transaction.ts";
import { findIncomplete } from "./whole.ts";

/**
 * Finishes or undoes what a dead job left. A reduce's copy of which nothing was removed is discarded: the run is
 * complete where it was, and may be chosen again. A removal that has begun can only be finished.
 */
export async function finishInterrupted(move: Move, line: RemovalLine, options: Recovery): Promise<void> {
  const halfway = [...(await runsIn(move, "removing")), ...(await runsIn(move, "restoring"))];
  if (halfway.length > 0) await guardAgain(move, options.beforeCommit);
  await finishReduces(move, line, options.deadAfterMs);
  await finishRestores(move, line, options);
}

export interface Recovery {
  /** See `RestorePayload.deadAfter`; undefined: the default. */
  deadAfterMs: number | undefined;
  /** How long a restored run is kept for readers of completed-runs.db, ms. */
  grace: number;
  /** Renews the cache's modification time. */
  beforeCommit(): void;
  /** Sleeps under the lease. */
  rest(ms: number): Promise<void>;
}

async function finishReduces(move: Move, line: RemovalLine, deadAfterMs = defaultDeadAfterMs): Promise<void> {
  const { context, tally, counts } = move;
  const copying = await runsIn(move, "copying");
  const removing = await runsIn(move, "removing");
  const untouched: Run[] = [];
  for (const run of removing) {
    if (await isUntouched(move, run.id)) untouched.push(run);
  }
  const undone = [...copying, ...untouched];
  for (const { id } of undone) {
    await discardCopies(move, [id]);
    context.failpoint("taken-back");
  }
  if (undone.length > 0) {
    tally.undone.reduce = undone.length;
    context.log(
      `Discarded the copies of ${plural(undone.length, "run")} that an interrupted job had begun to move.`,
    );
  }
  const pending = new PendingStates();
  for (const run of removing.filter((candidate) => !untouched.includes(candidate))) {
    context.signal.throwIfAborted();
    if (await isAlive(move, run.id, deadAfterMs)) {
      tally.skip(labelOf(run), "in-flight");
      tally.warn(
        `run ${run.id} (${run.target}/${run.runname}) is half moved and active again; the next job will finish moving it`,
      );
      continue;
    }
    const report = await line.remove([run.id], true);
    await countRemoval(move, report);
    const rows = await outwaitBusy(context.signal, () => runRows(move, [run.id]));
    for (const [table, count] of rows) counts.reduce.moved[table] += count;
    counts.reduce.movedRun(run);
    pending.set([run.id], "moved");
    await outwaitBusy(context.signal, () => commitStates(move, pending));
    context.failpoint("resumed");
    context.log(
      `Finished moving run ${run.id} (${run.target}/${run.runname}), which an interrupted job had half moved.`,
    );
  }
}

/** Deletes the copies of runs that a dead job restored completely, once readers have finished; others are moved again. */
async function finishRestores(
  move: Move,
  line: RemovalLine,
  { deadAfterMs, grace, rest }: Recovery,
): Promise<void> {
  const { context } = move;
  await dropRestored(move, await runsIn(move, "restored"));
  const restoring = await runsIn(move, "restoring");
  if (restoring.length === 0) return;
  // The dead job may have set `last_update`, at an unknown time.
  const incomplete = await line.findIncomplete({
    runs: restoring.map(({ id }) => id),
    touchedAt: Math.floor(move.now / 1000),
  });
  const isWhole = ({ id }: Run) => !incomplete.includes(id);
  const undone = await undoRestore(
    move,
    line,
    restoring.filter((run) => !isWhole(run)),
    deadAfterMs,
  );
  if (undone.length > 0) {
    move.tally.undone.restore = undone.length;
    context.log(`Moved ${plural(undone.length, "run")} again that an interrupted job had half restored.`);
  }
  const whole = restoring.filter(isWhole);
  if (whole.length === 0) return;
  await rest(grace);
  await letGo(move, whole);
  context.log(`Finished restoring ${plural(whole.length, "run")} of an interrupted job.`);
}

async function runsIn({ db, keys, context }: Move, state: RunState): Promise<Run[]> {
  return await outwaitBusy(context.signal, () =>
    prepared<[string], Run>(
      db,
      `SELECT m.run_id AS id, ${targetSql(keys, "r")} AS target, coalesce(r.runname, '') AS runname
         FROM completed.mtjobs_runs AS m LEFT JOIN completed.runs AS r ON r.id = m.run_id
         WHERE m.state = ? ORDER BY m.run_id`,
    )
      .safeIntegers()
      .all(state),
  );
}

/** Returns true if every row of the copy is still unchanged in the freshest source. Reads slice by slice. */
async function isUntouched(move: Move, run: bigint): Promise<boolean> {
  const { db, context, pace, records } = move;
  const cutter = await outwaitBusy(context.signal, () => {
    const counts = gatherTests(db, [run], ["completed"]);
    const tests = new LargeTests(db, "completed", records);
    return new SliceCutter(db, counts, () => pace.size, { tests, order: "parents-first" });
  });
  for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
    const current = slice;
    if (!(await outwaitBusy(context.signal, () => isSliceUntouched(move, current)))) return false;
    await yieldNow();
  }
  return true;
}

function isSliceUntouched(move: Move, slice: Slice): boolean {
  const { db, fresh, pace, records } = move;
  const tests = enterSlice(db, slice);
  const started = performance.now();
  const incomplete = findIncomplete(db, fresh, records, { touched: false });
  pace.hold(performance.now() - started);
  pace.settle(tests);
  return incomplete?.length === 0;
}
