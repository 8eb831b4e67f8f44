import { performance } from "node:perf_hooks";
import { setImmediate as yieldNow } from "node:timers/promises";
import { targetSql } from "../../shared/area-db/match-run.ts";
import { defaultDeadAfterMs, defaultGraceMs } from "../../shared/contract/defaults.ts";
import type { MovePayload } from "../../shared/contract/payload.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { plural } from "../../shared/text.ts";
import { labelOf, type Run } from "../area-db/run.ts";
import { commitStates, PendingStates, type RunState } from "./copy/commit-copy.ts";
import { deletePurged } from "./copy/delete-purged.ts";
import { discardCopies } from "./copy/discard-copies.ts";
import { supersededOfRuns } from "./copy/superseded-of-runs.ts";
import { guardAgain } from "./ids/id-guards.ts";
import type { LeasedSession } from "./leased-session.ts";
import { commitRestored, deleteRestoredCopies, undoRestore } from "./restore-runs.ts";
import { runRows } from "./run-accounting.ts";
import { homelessValues } from "./select/choose-moved-runs.ts";
import { isAlive } from "./select/live-tests.ts";
import type { JobSession } from "./session/job-session.ts";
import { LargeTests } from "./slices/large-tests.ts";
import { enterSlice, gatherTests, type Slice, SliceCutter } from "./slices/slices.ts";
import { findIncomplete } from "./sources/compare-restored.ts";
import { countRemoval } from "./sources/count-removal.ts";

/**
 * Finishes or undoes what an interrupted job left. A copy of which nothing was removed is discarded: the run is
 * complete in the sources and may be chosen again. If removing had begun, it is finished.
 */
export async function finishInterrupted(session: LeasedSession, payload: MovePayload): Promise<void> {
  const halfway = [...(await runsIn(session, "removing")), ...(await runsIn(session, "restoring"))];
  if (halfway.length > 0) {
    await guardAgain(session);
    await session.fitPipeline(
      halfway.map(({ id }) => id),
      "completed",
    );
  }
  await finishReduces(session, payload.deadAfter);
  await finishRestores(session, payload);
  await undoImports(session);
}

/** Call when ids are repaired: the ids of its tests tell which versions are a purged run's. */
export async function finishPurges(session: LeasedSession): Promise<void> {
  const purging = await runsIn(session, "purging");
  if (purging.length === 0) return;
  await deletePurged(session, purging, await supersededOfRuns(session));
  session.context.log(`Finished purging ${plural(purging.length, "run")} of an interrupted job.`);
}

/** Discards what is there of a run whose import was interrupted: its file still holds it. */
async function undoImports(session: LeasedSession): Promise<void> {
  const importing = await runsIn(session, "importing");
  if (importing.length === 0) return;
  await discardCopies(
    session,
    importing.map(({ id }) => id),
  );
  session.tally.undone.import = importing.length;
  session.context.log(
    `Discarded ${plural(importing.length, "run")} that an interrupted job had begun to import.`,
  );
}

async function finishReduces(session: LeasedSession, deadAfterMs = defaultDeadAfterMs): Promise<void> {
  const { context, tally, counts } = session;
  const copying = await runsIn(session, "copying");
  const removing = await runsIn(session, "removing");
  const untouched: Run[] = [];
  for (const run of removing) {
    if (await isUntouched(session, run.id)) untouched.push(run);
  }
  const undone = [...copying, ...untouched];
  for (const { id } of undone) {
    await discardCopies(session, [id]);
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
    if (await isAlive(session, run.id, deadAfterMs)) {
      tally.skip(labelOf(run), "in-flight");
      tally.warn(
        `run ${run.id} (${run.target}/${run.runname}) is half moved and active again; the next job will finish moving it`,
      );
      continue;
    }
    const report = await session.pipeline.remove([run.id], true);
    await countRemoval(session, report);
    const rows = await session.read(() => runRows(session, [run.id]));
    for (const [table, count] of rows) counts.reduce.moved[table] += count;
    counts.reduce.movedRun(run);
    pending.set([run.id], "moved");
    await session.read(() => commitStates(session, pending));
    context.failpoint("resumed");
    context.log(
      `Finished moving run ${run.id} (${run.target}/${run.runname}), which an interrupted job had half moved.`,
    );
  }
}

/** Deletes the copies of runs that a dead job restored completely, once readers have finished; others are moved again. */
async function finishRestores(session: LeasedSession, payload: MovePayload): Promise<void> {
  const { context } = session;
  await deleteRestoredCopies(session, await runsIn(session, "restored"));
  const restoring = await runsIn(session, "restoring");
  if (restoring.length === 0) return;
  // The dead job may have set `last_update`, at an unknown time.
  const incomplete = await session.pipeline.findIncomplete({
    runs: restoring.map(({ id }) => id),
    touchedAt: Math.floor(session.now / 1000),
  });
  // A table may have been dropped meanwhile.
  const homeless = await session.read(() =>
    homelessIn(
      session,
      restoring.map(({ id }) => id),
    ),
  );
  const isWhole = ({ id }: Run) => !incomplete.includes(id) && !homeless.includes(id);
  const undone = await undoRestore(
    session,
    restoring.filter((run) => !isWhole(run)),
    payload.deadAfter,
  );
  if (undone.length > 0) {
    session.tally.undone.restore = undone.length;
    context.log(`Moved ${plural(undone.length, "run")} again that an interrupted job had half restored.`);
  }
  const whole = restoring.filter(isWhole);
  if (whole.length === 0) return;
  // Earlier readers of completed-runs.db finish first.
  await session.rest("grace" in payload ? payload.grace : defaultGraceMs);
  await commitRestored(session, whole);
  context.log(`Finished restoring ${plural(whole.length, "run")} of an interrupted job.`);
}

/** Returns the runs with a row that only completed-runs.db can hold. */
function homelessIn(session: JobSession, runs: readonly bigint[]): bigint[] {
  const homeless = homelessValues(session);
  return runs.filter((run) => homeless.some(({ has }) => has(run)));
}

async function runsIn(session: JobSession, state: RunState): Promise<Run[]> {
  const { db, keys } = session;
  return await session.read(() =>
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
async function isUntouched(session: JobSession, run: bigint): Promise<boolean> {
  const { db, batchSize, records } = session;
  if ((await session.read(() => homelessIn(session, [run]))).length > 0) return false;
  const cutter = await session.read(() => {
    const counts = gatherTests(db, [run], ["completed"]);
    const tests = new LargeTests(db, "completed", records);
    return new SliceCutter(db, counts, () => batchSize.size, { tests, order: "parents-first" });
  });
  for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
    const current = slice;
    if (!(await session.read(() => isSliceUntouched(session, current)))) return false;
    await yieldNow();
  }
  return true;
}

function isSliceUntouched(session: JobSession, slice: Slice): boolean {
  const { db, fresh, batchSize, records } = session;
  const tests = enterSlice(db, slice);
  const started = performance.now();
  const incomplete = findIncomplete(db, fresh, records, { touched: false });
  batchSize.hold(performance.now() - started);
  batchSize.settle(tests);
  return incomplete?.length === 0;
}
