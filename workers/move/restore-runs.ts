import { defaultDeadAfterMs } from "../../shared/contract/defaults.ts";
import type { RestorePayload } from "../../shared/contract/payload.ts";
import { JobsError } from "../../shared/errors.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { idList } from "../../shared/sqlite/ids.ts";
import { hasTable } from "../../shared/sqlite/table.ts";
import { fileNames } from "../area-db/databases.ts";
import { labelOf, type Run } from "../area-db/run.ts";
import type { RunState } from "./copy/commit-copy.ts";
import { stageSize } from "./copy/copy-batch.ts";
import { discardCopies } from "./copy/discard-copies.ts";
import type { LeasedSession } from "./leased-session.ts";
import { type RowCounts, recordRuns, runRows, tallyRuns } from "./run-accounting.ts";
import { isAlive } from "./select/live-tests.ts";
import type { JobSession } from "./session/job-session.ts";
import { countRemoval } from "./sources/count-removal.ts";
import type { RejectedRun } from "./sources/insert-runs.ts";

/** Runs that are complete in every source, and since when. */
interface Whole {
  runs: readonly Run[];
  /** By `performance.now()`, ms. */
  since: number;
}

/**
 * Restores runs of completed-runs.db, batch by batch: inserts them into megatest.db, the ref and the cache, compares
 * them row by row and, once earlier readers have finished, deletes the copies. Until then the copy is the record: a
 * batch that dies or meets a conflict is removed from the sources again.
 */
export async function restoreRuns(
  session: LeasedSession,
  runs: readonly Run[],
  { touch, grace, deadAfter }: RestorePayload,
): Promise<void> {
  const { context, tally } = session;
  context.log(`Runs to restore: ${runs.length}.`);
  await session.fitPipeline(
    runs.map(({ id }) => id),
    "completed",
  );
  const touchedAt = touch ? Math.floor(Date.now() / 1000) : undefined;
  const waiting: Whole[] = [];
  let left = runs.length;
  for (const batch of await batchesOf(session, runs)) {
    context.signal.throwIfAborted();
    if (session.endEarly(left)) break;
    left -= batch.length;
    context.progress({
      phase: "restoring",
      runs: { done: tally.moved.runs, total: runs.length },
      rows: { done: tally.rowsDone },
    });
    await setRestoreState(session, batch, "restoring");
    context.failpoint("restoring");
    const ids = batch.map(({ id }) => id);
    const { conflicting, incomplete, rejected } = await session.pipeline.insert({ runs: ids, touchedAt });
    const without = (some: readonly bigint[]) => batch.filter(({ id }) => !some.includes(id));
    const bad = [...conflicting, ...incomplete, ...rejected.map(({ run }) => run)];
    if (bad.length > 0) {
      const failed = batch.filter(({ id }) => bad.includes(id));
      const undone = await undoRestore(session, failed, deadAfter);
      for (const run of undone)
        tally.skip(labelOf(run), conflicting.includes(run.id) ? "conflict" : "changed");
      for (const one of rejected) warnOfRejected(session, batch, one);
    }
    waiting.push({ runs: without(bad), since: performance.now() });
    context.failpoint("whole");
    while (waiting[0] !== undefined && waiting[0].since + grace <= performance.now())
      await commitRestored(session, (waiting.shift() as Whole).runs);
  }
  for (const { runs: whole, since } of waiting) {
    if (whole.length === 0) continue;
    await session.rest(Math.max(0, since + grace - performance.now()));
    await commitRestored(session, whole);
  }
}

function warnOfRejected({ tally }: JobSession, batch: readonly Run[], { run, part, why }: RejectedRun): void {
  const { target, runname } = batch.find(({ id }) => id === run) ?? {};
  tally.warn(
    `run ${run} (${target}/${runname}) was not restored: ${fileNames[part]} rejects its rows (${why})`,
  );
}

/** Groups runs into batches of about as many tests as are staged together. */
async function batchesOf(session: JobSession, runs: readonly Run[]): Promise<Run[][]> {
  const { db } = session;
  const count = () =>
    prepared<[bigint], number>(db, "SELECT count(*) FROM completed.tests WHERE run_id = ?").pluck();
  const batches: Run[][] = [];
  let tests = Number.POSITIVE_INFINITY;
  for (const run of runs) {
    const more = await session.read(() => count().get(run.id) ?? 0);
    if (tests + more > stageSize) {
      batches.push([]);
      tests = 0;
    }
    batches.at(-1)?.push(run);
    tests += Math.max(more, 1);
  }
  return batches;
}

/** Commits the state from which on the sources count and the runs are restored; then deletes the copies. */
export async function commitRestored(session: JobSession, runs: readonly Run[]): Promise<void> {
  if (runs.length === 0) return;
  const { context } = session;
  const ids = runs.map(({ id }) => id);
  const rows = await session.read(() => runRows(session, ids));
  await session.read(() => assertHomes(session, rows));
  await setRestoreState(session, runs, "restored", () => recordRuns(session, "restore", runs, rows));
  tallyRuns(session, "restore", runs, rows);
  context.failpoint("restored");
  await deleteRestoredCopies(session, runs);
}

/** The copies are deleted next: another program may have dropped a table of which they have rows. */
function assertHomes({ db, sources }: JobSession, rows: RowCounts): void {
  const homes = sources.filter((part) => part !== "ref");
  const homeless = rows.find(
    ([table, count]) => count > 0 && !homes.some((part) => hasTable(db, part, table)),
  );
  if (homeless === undefined) return;
  throw new JobsError("unknown-schema", `the table ${homeless[0]} was dropped while its rows were restored`, {
    hint: "create it again; the rows are still in completed-runs.db, where the next job leaves these runs",
  });
}

/** Deletes the copies of restored runs. */
export async function deleteRestoredCopies(session: JobSession, runs: readonly Run[]): Promise<void> {
  if (runs.length === 0) return;
  const { context } = session;
  const ids = runs.map(({ id }) => id);
  await discardCopies(session, ids);
  context.failpoint("let-go");
}

/**
 * Removes half restored runs from the sources again, merging what was written to them there. A run with an active
 * test stays for a later job.
 *
 * @returns the runs that only completed-runs.db has now
 */
export async function undoRestore(
  session: LeasedSession,
  runs: readonly Run[],
  deadAfterMs = defaultDeadAfterMs,
): Promise<Run[]> {
  const { context, tally } = session;
  const undone: Run[] = [];
  for (const run of runs) {
    if (await isAlive(session, run.id, deadAfterMs)) {
      tally.skip(labelOf(run), "in-flight");
      tally.warn(
        `run ${run.id} (${run.target}/${run.runname}) is half restored and active again; a later job will finish it`,
      );
      continue;
    }
    await countRemoval(session, await session.pipeline.remove([run.id], true, { restored: true }));
    undone.push(run);
  }
  await setRestoreState(session, undone, "moved");
  if (undone.length > 0) context.failpoint("undone");
  return undone;
}

/**
 * Commits a state of moved runs. Keeps the job that moved them, which counts them, and `changed_at`, the time of the
 * move: ids given since are reported as `previousId`.
 *
 * @param also runs in the same transaction
 */
async function setRestoreState(
  session: JobSession,
  runs: readonly Run[],
  state: RunState,
  also?: () => void,
): Promise<void> {
  const { db } = session;
  if (runs.length === 0) return;
  await session.commit("completed", () => {
    prepared(
      db,
      `UPDATE completed.mtjobs_runs SET state = ?, looked_at = 0
         WHERE run_id IN (SELECT value FROM json_each(?))`,
    ).run(state, idList(runs.map(({ id }) => id)));
    also?.();
  });
}
