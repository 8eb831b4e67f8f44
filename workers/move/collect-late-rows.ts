import { defaultDeadAfterMs } from "../../shared/contract/defaults.ts";
import { idList, preparedIds } from "../../shared/sqlite/ids.ts";
import { plural } from "../../shared/text.ts";
import type { Source } from "../area-db/databases.ts";
import { indexChildren } from "../records/child-index.ts";
import { raiseGuards } from "./ids/id-guards.ts";
import type { LeasedSession } from "./leased-session.ts";
import {
  areGuardsFarBelow,
  lateRuns,
  readSeen,
  runsWithRows,
  runsWithUnindexedRows,
  writeSeen,
} from "./select/find-late-rows.ts";
import { isAlive } from "./select/live-tests.ts";
import type { JobSession } from "./session/job-session.ts";
import { countRemoval } from "./sources/count-removal.ts";
import type { Versions } from "./writers/source-pipeline.ts";

/**
 * Reads how far steps and data may count as searched when this job has done it. Before it raises guards: a sync that read
 * a late row before the job removed it may write it back, under an id that is below the new guards.
 */
export async function noteSeen(session: LeasedSession): Promise<void> {
  session.seen = await session.read(() => readSeen(session));
}

/** Runs removed in one call. */
const chunk = 200;

/**
 * Merges late rows into moved runs, and removes rows that a sync restored, before Megatest's clean-up meets a test
 * without a run. Runs that the last job moved are checked once more, row by row.
 */
export async function collectLateRows(session: LeasedSession): Promise<void> {
  const { sources } = session;
  const hasMoved = () =>
    session.db
      .prepare("SELECT EXISTS (SELECT 1 FROM completed.mtjobs_runs WHERE state = 'moved')")
      .pluck()
      .get() === 1;
  if (!(await session.read(hasMoved))) return;
  if (await session.read(() => areGuardsFarBelow(session))) await session.read(() => raiseGuards(session));
  const suspects = new Set<bigint>();
  for (const part of sources) for (const run of await lateRuns(session, part)) suspects.add(run);
  const fresh = await session.read(() =>
    preparedIds<[]>(
      session.db,
      "SELECT run_id FROM completed.mtjobs_runs WHERE state = 'moved' AND looked_at = 0",
    ).all(),
  );
  for (const part of sources) for (const run of await runsWithRows(session, part, fresh)) suspects.add(run);
  const left = await collectRowsOf(session, [...suspects]);
  await session.read(() => {
    // Runs left alone must be found again.
    if (left.length === 0) writeSeen(session, session.seen);
    markLookedAt(
      session,
      fresh.filter((run) => !left.includes(run)),
    );
  });
}

/** Merges and removes what the sources have of moved runs. Returns the runs whose rows stay. */
export async function collectRowsOf(session: LeasedSession, runs: readonly bigint[]): Promise<bigint[]> {
  // Counts tests of which only late steps or data are left, too.
  if (runs.length > 0) await session.fitPipeline(runs, "completed");
  return await mergeAndRemove(session, runs);
}

/** Returns the runs that this job moved. */
async function movedBy(session: JobSession): Promise<bigint[]> {
  const { db, context } = session;
  return await session.read(() =>
    preparedIds<[string]>(
      db,
      "SELECT run_id FROM completed.mtjobs_runs WHERE state = 'moved' AND job_id = ?",
    ).all(context.jobId),
  );
}

/**
 * Checks the runs that this job moved until no sync has restored rows.
 *
 * @param since versions of the sources before anything was removed
 */
export async function checkAgain(session: LeasedSession, since: Versions): Promise<void> {
  const runs = await movedBy(session);
  if (runs.length === 0) return;
  const { pipeline, afterSync } = session;
  for (let round = 0; round < 3; round++) {
    await afterSync?.();
    // Without a live server only a database that another connection wrote to can have rows.
    const now = await pipeline.versions();
    const written = session.sources.filter(
      (part) => afterSync !== undefined || now.get(part) !== since.get(part),
    );
    const risen = new Set<bigint>();
    for (const part of written) for (const run of await leftIn(session, part, runs)) risen.add(run);
    if (risen.size === 0) return;
    session.context.log(
      `Rows of ${plural(risen.size, "moved run")} came back or came late; removing them again.`,
    );
    await pipeline.refresh();
    if ((await mergeAndRemove(session, [...risen])).length === risen.size) return;
  }
  session.tally.warn("a sync kept putting back rows of moved runs; the next job removes them");
}

async function leftIn(session: JobSession, part: Source, runs: readonly bigint[]): Promise<bigint[]> {
  await indexChildren(session, part);
  return [...(await runsWithRows(session, part, runs)), ...(await runsWithUnindexedRows(session, part))];
}

/** Merges and removes what is left of moved runs; returns the runs whose rows stay: active again, or with reused ids. */
async function mergeAndRemove(session: LeasedSession, suspects: readonly bigint[]): Promise<bigint[]> {
  if (suspects.length === 0) return [];
  const alive = await aliveAmong(session, suspects);
  const runs = suspects.filter((run) => !alive.includes(run));
  const left = new Set(alive);
  // Late rows have ids above the guards, which must not be reused once the rows are removed.
  await session.read(() => raiseGuards(session));
  for (let from = 0; from < runs.length; from += chunk) {
    session.context.signal.throwIfAborted();
    const report = await session.pipeline.remove(runs.slice(from, from + chunk), true);
    await countRemoval(session, report);
    for (const run of report.reusedIds) left.add(run);
  }
  if (session.tally.late > 0)
    session.context.log(`Added ${plural(session.tally.late, "late row")} to moved runs.`);
  return [...left];
}

async function aliveAmong(session: JobSession, runs: readonly bigint[]): Promise<bigint[]> {
  const alive: bigint[] = [];
  for (const run of runs) {
    if (await isAlive(session, run, defaultDeadAfterMs)) alive.push(run);
  }
  if (alive.length > 0) {
    session.tally.warn(
      `moved runs have active tests: ${alive.join(", ")}; a later job will collect their rows`,
    );
  }
  return alive;
}

function markLookedAt(session: JobSession, runs: readonly bigint[]): void {
  if (runs.length === 0) return;
  session.commitOnce("completed", () => {
    session.db
      .prepare(
        "UPDATE completed.mtjobs_runs SET looked_at = ? WHERE run_id IN (SELECT value FROM json_each(?))",
      )
      .run(Date.now(), idList(runs));
  });
}
