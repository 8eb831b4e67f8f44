import { plural } from "../../shared/plural.ts";
import { idList, preparedIds } from "../../shared/sqlite/ids.ts";
import { proveToken } from "../fence.ts";
import { mapChildren } from "./children.ts";
import { countRemoval } from "./count-removal.ts";
import { raiseGuards } from "./id-guards.ts";
import { defaultDeadAfterMs } from "./judge.ts";
import { lateRuns, readSeen, runsWithRows, runsWithUnindexedRows, writeSeen } from "./leftovers.ts";
import { isAlive } from "./live-tests.ts";
import type { Move, Source } from "./move.ts";
import type { RemovalLine, Versions } from "./removal-line.ts";
import { outwaitBusy, transact } from "./transaction.ts";

/** What removes rows, and what to call before each commit to megatest.db. */
export interface Sweeper {
  line: RemovalLine;
  beforeCommit(): void;
}

/** Runs removed in one call. */
const chunk = 200;

/**
 * Merges late rows into moved runs, and removes rows that a sync restored, before Megatest's clean-up meets a test
 * without a run. Runs that the last job moved are checked once more, row by row.
 */
export async function collectLateRows(move: Move, sweeper: Sweeper): Promise<void> {
  const { context, sources } = move;
  const hasMoved = () =>
    move.db
      .prepare("SELECT EXISTS (SELECT 1 FROM completed.mtjobs_runs WHERE state = 'moved')")
      .pluck()
      .get() === 1;
  if (!(await outwaitBusy(context.signal, hasMoved))) return;
  const seen = await outwaitBusy(context.signal, () => readSeen(move));
  const suspects = new Set<bigint>();
  for (const part of sources) for (const run of await lateRuns(move, part)) suspects.add(run);
  const fresh = await outwaitBusy(context.signal, () =>
    preparedIds<[]>(
      move.db,
      "SELECT run_id FROM completed.mtjobs_runs WHERE state = 'moved' AND looked_at = 0",
    ).all(),
  );
  for (const part of sources) for (const run of await runsWithRows(move, part, fresh)) suspects.add(run);
  const left = await absorbAll(move, sweeper, [...suspects]);
  await outwaitBusy(context.signal, () => {
    // Runs left alone must be found again.
    if (left.length === 0) writeSeen(move, seen);
    markLookedAt(
      move,
      fresh.filter((run) => !left.includes(run)),
    );
  });
}

/** Returns the runs that this job moved. */
export async function movedBy({ db, context }: Move): Promise<bigint[]> {
  return await outwaitBusy(context.signal, () =>
    preparedIds<[string]>(
      db,
      "SELECT run_id FROM completed.mtjobs_runs WHERE state = 'moved' AND job_id = ?",
    ).all(context.jobId),
  );
}

/**
 * Checks the runs that this job moved until no sync has restored rows.
 *
 * `rest` is awaited before each check and resolves once a sync that read before the removal must be done; undefined
 * without a live server. `since` are the sources' versions before anything was removed.
 */
export async function lookAgain(
  move: Move,
  sweeper: Sweeper,
  runs: readonly bigint[],
  { rest, since }: { rest: (() => Promise<void>) | undefined; since: Versions },
): Promise<void> {
  const { line } = sweeper;
  if (runs.length === 0) return;
  for (let round = 0; round < 3; round++) {
    await rest?.();
    // Without a live server only a database that another connection wrote to can have rows.
    const now = await line.versions();
    const written = move.sources.filter((part) => rest !== undefined || now.get(part) !== since.get(part));
    const risen = new Set<bigint>();
    for (const part of written) for (const run of await leftIn(move, part, runs)) risen.add(run);
    if (risen.size === 0) return;
    move.context.log(
      `Rows of ${plural(risen.size, "moved run")} came back or came late; removing them again.`,
    );
    await line.refresh();
    if ((await absorbAll(move, sweeper, [...risen])).length === risen.size) return;
  }
  move.tally.warn("a sync kept restoring rows of moved runs; the next job removes them");
}

async function leftIn(move: Move, part: Source, runs: readonly bigint[]): Promise<bigint[]> {
  await mapChildren(move.db, part, move.records, move.context.signal);
  return [...(await runsWithRows(move, part, runs)), ...(await runsWithUnindexedRows(move, part))];
}

/** Merges and removes what is left of moved runs; returns the runs whose rows stay: active again, or with reused ids. */
async function absorbAll(
  move: Move,
  { line, beforeCommit }: Sweeper,
  suspects: readonly bigint[],
): Promise<bigint[]> {
  if (suspects.length === 0) return [];
  const alive = await aliveAmong(move, suspects);
  const runs = suspects.filter((run) => !alive.includes(run));
  const left = new Set(alive);
  // Late rows have ids above the guards, which must not be reused once the rows are removed.
  await outwaitBusy(move.context.signal, () => raiseGuards(move, beforeCommit));
  for (let from = 0; from < runs.length; from += chunk) {
    move.context.signal.throwIfAborted();
    const report = await line.remove(runs.slice(from, from + chunk), true);
    await countRemoval(move, report);
    for (const run of report.strangers) left.add(run);
  }
  if (move.tally.late > 0) move.context.log(`Added ${plural(move.tally.late, "late row")} to moved runs.`);
  return [...left];
}

async function aliveAmong(move: Move, runs: readonly bigint[]): Promise<bigint[]> {
  const alive: bigint[] = [];
  for (const run of runs) {
    if (await isAlive(move, run, defaultDeadAfterMs)) alive.push(run);
  }
  if (alive.length > 0) {
    move.tally.warn(`moved runs have active tests: ${alive.join(", ")}; a later job will collect their rows`);
  }
  return alive;
}

function markLookedAt({ db, token }: Move, runs: readonly bigint[]): void {
  if (runs.length === 0) return;
  transact(db, () => {
    proveToken(db, "completed", token, Date.now());
    db.prepare(
      "UPDATE completed.mtjobs_runs SET looked_at = ? WHERE run_id IN (SELECT value FROM json_each(?))",
    ).run(Date.now(), idList(runs));
  });
}
