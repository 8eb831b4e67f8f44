import type { RestorePayload } from "../../shared/queue/payload.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { idList } from "../../shared/sqlite/ids.ts";
import { proveToken } from "../fence.ts";
import { noteRestored, tallyRestored } from "./accounts.ts";
import type { RunState } from "./copy.ts";
import { stageSize } from "./copy-batch.ts";
import { countRemoval } from "./count-removal.ts";
import { discardCopies } from "./discard.ts";
import { endEarly } from "./end-early.ts";
import { defaultDeadAfterMs } from "./judge.ts";
import { isAlive } from "./live-tests.ts";
import type { Move } from "./move.ts";
import type { RemovalLine } from "./removal-line.ts";
import { labelOf, type Run } from "./run.ts";
import { runRows } from "./run-rows.ts";
import type { Site } from "./site.ts";
import { outwaitBusy, transact } from "./transaction.ts";

/** Runs that stand whole in every source, and since when. */
interface Whole {
  runs: readonly Run[];
  /** Milliseconds since 1970. */
  since: number;
}

/**
 * Brings runs of completed-runs.db back, batch by batch: into megatest.db, the ref and the cache; compared there row by
 * row; and, once readers who started before have finished, out of completed-runs.db. Until that moment the
 * copy in completed-runs.db is the record: a batch that dies or meets a conflict is taken out of the others again.
 */
export async function restoreRuns(
  site: Site,
  runs: readonly Run[],
  { touch, grace, deadAfter }: RestorePayload,
): Promise<void> {
  const { move, sweeper, rest } = site;
  const { context, tally } = move;
  const touchedAt = touch ? Math.floor(Date.now() / 1000) : undefined;
  const waiting: Whole[] = [];
  let left = runs.length;
  for (const batch of await batchesOf(move, runs)) {
    context.signal.throwIfAborted();
    if (endEarly(move, left)) break;
    left -= batch.length;
    context.progress({
      phase: "restoring",
      runs: { done: tally.moved.runs, total: runs.length },
      rows: { done: tally.rowsDone },
    });
    await setRestoreState(move, batch, "restoring");
    context.failpoint("restoring");
    const ids = batch.map(({ id }) => id);
    const { conflicting, incomplete } = await sweeper.line.insert({ runs: ids, touchedAt });
    const without = (some: readonly bigint[]) => batch.filter(({ id }) => !some.includes(id));
    const bad = [...conflicting, ...incomplete];
    if (bad.length > 0) {
      const failed = batch.filter(({ id }) => bad.includes(id));
      const undone = await undoRestore(move, sweeper.line, failed, deadAfter);
      for (const run of undone)
        tally.skip(labelOf(run), conflicting.includes(run.id) ? "conflict" : "changed");
    }
    waiting.push({ runs: without(bad), since: performance.now() });
    context.failpoint("whole");
    while (waiting[0] !== undefined && waiting[0].since + grace <= performance.now())
      await letGo(move, (waiting.shift() as Whole).runs);
  }
  for (const { runs: whole, since } of waiting) {
    if (whole.length === 0) continue;
    await rest(Math.max(0, since + grace - performance.now()));
    await letGo(move, whole);
  }
}

/** Runs grouped so that a batch has about as many tests as are staged together. */
async function batchesOf({ db, context }: Move, runs: readonly Run[]): Promise<Run[][]> {
  const count = () =>
    prepared<[bigint], number>(db, "SELECT count(*) FROM completed.tests WHERE run_id = ?").pluck();
  const batches: Run[][] = [];
  let tests = Number.POSITIVE_INFINITY;
  for (const run of runs) {
    const more = await outwaitBusy(context.signal, () => count().get(run.id) ?? 0);
    if (tests + more > stageSize) {
      batches.push([]);
      tests = 0;
    }
    batches.at(-1)?.push(run);
    tests += Math.max(more, 1);
  }
  return batches;
}

/** The sources count from the commit of the state on, and the runs as restored; then the copies go. */
export async function letGo(move: Move, runs: readonly Run[]): Promise<void> {
  if (runs.length === 0) return;
  const { context } = move;
  const ids = runs.map(({ id }) => id);
  const rows = await outwaitBusy(context.signal, () => runRows(move, ids));
  await setRestoreState(move, runs, "restored", () => noteRestored(move, runs, rows));
  tallyRestored(move, runs, rows);
  context.failpoint("restored");
  await dropRestored(move, runs);
}

/** The copies of runs that are restored go. */
export async function dropRestored(move: Move, runs: readonly Run[]): Promise<void> {
  if (runs.length === 0) return;
  const { context } = move;
  const ids = runs.map(({ id }) => id);
  await discardCopies(move, ids);
  context.failpoint("let-go");
}

/**
 * Takes runs that are back in part out of the sources again; what was written to them there meanwhile comes along.
 * A run with a test that is alive stays as it is for a later job.
 *
 * @returns the runs that are in completed-runs.db alone now
 */
export async function undoRestore(
  move: Move,
  line: RemovalLine,
  runs: readonly Run[],
  deadAfterMs = defaultDeadAfterMs,
): Promise<Run[]> {
  const { context, tally } = move;
  const undone: Run[] = [];
  for (const run of runs) {
    if (await isAlive(move, run.id, deadAfterMs)) {
      tally.skip(labelOf(run), "in-flight");
      tally.warn(
        `run ${run.id} (${run.target}/${run.runname}) is half restored and alive again: a later job finishes it`,
      );
      continue;
    }
    await countRemoval(move, await line.remove([run.id], true));
    undone.push(run);
  }
  await setRestoreState(move, undone, "moved");
  if (undone.length > 0) context.failpoint("undone");
  return undone;
}

/**
 * Commits a state of runs that were moved; the job that moved them goes on answering for that, and `changed_at` goes on
 * saying when that was: ids given since are told as `previousId`.
 *
 * @param also is done in the same transaction
 */
async function setRestoreState(
  { db, token, context }: Move,
  runs: readonly Run[],
  state: RunState,
  also?: () => void,
): Promise<void> {
  if (runs.length === 0) return;
  await outwaitBusy(context.signal, () =>
    transact(db, () => {
      proveToken(db, "completed", token, Date.now());
      prepared(
        db,
        `UPDATE completed.mtjobs_runs SET state = ?, looked_at = 0
         WHERE run_id IN (SELECT value FROM json_each(?))`,
      ).run(state, idList(runs.map(({ id }) => id)));
      also?.();
    }),
  );
}
