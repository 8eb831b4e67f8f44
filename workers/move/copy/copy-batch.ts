import type { SkipReason } from "../../../shared/contract/move-result.ts";
import type { ReducePayload } from "../../../shared/contract/payload.ts";
import { isConstraintError, prepared, quoteText } from "../../../shared/sqlite/connection.ts";
import { idList } from "../../../shared/sqlite/ids.ts";
import { plural } from "../../../shared/text.ts";
import { labelOf, oddTimeText, type Run, writeSeconds } from "../../area-db/run.ts";
import { belongsTo } from "../../records/record-tables.ts";
import { gatherFacts, judgeRun, type RunFacts } from "../select/eligibility.ts";
import type { JobSession } from "../session/job-session.ts";
import { LargeTests } from "../slices/large-tests.ts";
import { gatherTests, SliceCutter } from "../slices/slices.ts";
import { findChangedValues } from "./affinity-check.ts";
import { commitStage, type PendingStates, verifyCopy } from "./commit-copy.ts";
import { discardCopies } from "./discard-copies.ts";
import { findRefused } from "./insert-staged.ts";
import { clearStage, stageSlice } from "./stage.ts";

/**
 * Copies whole runs into completed-runs.db and verifies them there. Runs that the freshest data keeps back are
 * tallied as skipped. Nothing is removed.
 *
 * @param size tests to commit together
 * @returns the runs copied; they are in state `copying` until the caller changes it
 */
export async function copyBatch(
  session: JobSession,
  runs: readonly bigint[],
  payload: ReducePayload,
  pending: PendingStates,
  size = stageSize,
): Promise<Run[]> {
  const { signal } = session.context;
  const { db, fresh, records, batchSize } = session;
  const counts = await session.read(() => gatherTests(db, runs, [fresh, "area"]));
  const large = await session.read(() => new LargeTests(db, fresh, records));
  const batch: Batch = {
    facts: new Map(),
    rejected: new Map(),
    committed: new Set(),
    staged: new Set(),
  };
  let tests = 0;
  clearStage(session);
  const cutter = new SliceCutter(db, counts, () => batchSize.size, { tests: large, order: "parents-first" });
  for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
    if (slice.runs.every((run) => batch.rejected.has(run))) continue;
    signal.throwIfAborted();
    tests += await stageSlice(session, slice);
    for (const run of slice.runs) batch.staged.add(run);
    // The facts about a test are complete only once all its steps are staged.
    if (tests < size || slice.more === true) continue;
    await flush(session, batch, payload, pending);
    tests = 0;
  }
  await flush(session, batch, payload, pending);
  const halfCopied = [...batch.rejected.keys()].filter((run) => batch.committed.has(run));
  if (halfCopied.length > 0) await discardCopies(session, halfCopied);
  return tally(session, runs, batch, payload);
}

/** Tests staged before a commit: enough that commits cost little beside the rows. It grows in a long job. */
export const stageSize = 1000;

interface Batch {
  facts: Map<bigint, RunFacts>;
  /** Runs that stay; `undefined` if the reason follows from their rows. */
  rejected: Map<bigint, SkipReason | undefined>;
  /** Runs with rows in completed-runs.db. */
  committed: Set<bigint>;
  /** Runs with rows in the stage. */
  staged: Set<bigint>;
}

/** Judges the staged runs; commits and verifies those that may move. In a dry run it only counts. */
async function flush(
  session: JobSession,
  batch: Batch,
  payload: ReducePayload,
  pending: PendingStates,
): Promise<void> {
  const runs = [...batch.staged];
  if (runs.length === 0) return;
  const found = await session.read(() => gatherFacts(session, runs, batch.facts));
  for (const [run, facts] of found) batch.facts.set(run, facts);
  const stay = runs.filter((run) => isKeptBack(session, found.get(run), payload));
  reject(session, batch, stay, undefined);
  rejectUnfit(session, batch);
  const going = runs.filter((run) => !batch.rejected.has(run));
  if (session.token === 0) countStaged(session);
  else await commitFitting(session, batch, going, pending);
  batch.staged.clear();
  clearStage(session);
}

/** An earlier part of a cut run may be committed: it is discarded at the end of the batch. */
function reject(
  session: JobSession,
  batch: Batch,
  runs: readonly bigint[],
  reason: SkipReason | undefined,
): void {
  if (runs.length === 0) return;
  for (const run of runs) batch.rejected.set(run, reason);
  dropFromStage(session, runs);
}

/** Commits and verifies the staged runs. One that completed-runs.db rejects stays, and the others continue. */
async function commitFitting(
  session: JobSession,
  batch: Batch,
  going: readonly bigint[],
  pending: PendingStates,
): Promise<void> {
  const { context, tally } = session;
  if (going.length === 0) return;
  pending.set(going, "copying");
  try {
    await session.read(() => commitStage(session, pending));
  } catch (error) {
    if (!isConstraintError(error)) throw error;
    const refused = await session.read(() => findRefused(session, going));
    if (refused.size === 0) throw error;
    const stay = [...refused.keys()];
    pending.drop(stay);
    reject(session, batch, stay, "conflict");
    for (const [run, reason] of refused) {
      tally.warn(`run ${nameOf(batch, run)} stays: completed-runs.db rejects its rows (${reason})`);
    }
    const rest = going.filter((run) => !refused.has(run));
    return commitFitting(session, batch, rest, pending);
  }
  for (const run of going) batch.committed.add(run);
  context.failpoint("copied");
  await session.read(() => verifyCopy(session));
  context.failpoint("verified");
}

/** Keeps back runs with a value that completed-runs.db would change. */
function rejectUnfit(session: JobSession, batch: Batch): void {
  const unfit = findChangedValues(session);
  reject(session, batch, [...unfit.keys()], "changed");
  for (const column of new Set(unfit.values())) {
    session.tally.warn(
      `runs stay because of column ${column}: its type differs between the databases, and completed-runs.db would change a value`,
    );
  }
}

function nameOf({ facts }: Batch, id: bigint): string {
  const run = facts.get(id);
  return `${id} (${run?.target ?? ""}/${run?.runname ?? ""})`;
}

/** A run that a client deleted since it was chosen is neither copied nor reported. */
function isKeptBack(session: JobSession, run: RunFacts | undefined, payload: ReducePayload): boolean {
  return run === undefined || !run.exists || judgeRun(run, payload, session.now) !== undefined;
}

function tally(
  session: JobSession,
  runs: readonly bigint[],
  { facts, rejected }: Batch,
  payload: ReducePayload,
): Run[] {
  const copied: Run[] = [];
  for (const id of runs) {
    const run = facts.get(id);
    if (run === undefined) continue;
    const label = { id, target: run.target, runname: run.runname };
    const reason = rejected.get(id) ?? judgeRun(run, payload, session.now);
    if (!rejected.has(id)) {
      copied.push(label);
      if (run.unfinishedTests > 0) {
        session.tally.warn(
          `run ${id} (${run.target}/${run.runname}) has ${plural(run.unfinishedTests, "unfinished test")} without recent activity: treated as dead`,
        );
      }
    } else if (reason !== undefined && reason !== "deleted") {
      session.tally.skip(labelOf(label), reason);
      if (run.oddTime !== undefined && (reason === "recent" || reason === "in-flight"))
        session.tally.warn(oddTimeText(label, run.oddTime, writeSeconds));
    }
  }
  return copied;
}

/** Removes the rows of runs from the stage. */
function dropFromStage({ db, records }: JobSession, runs: readonly bigint[]): void {
  const list = idList(runs);
  const chosen = "(SELECT value FROM json_each(?))";
  const tests = `(SELECT id FROM temp.stage_tests WHERE run_id IN ${chosen})`;
  for (const record of records.toReversed()) {
    const { table } = record;
    const where = belongsTo(record, { runs: chosen, tests });
    // Ids of never-synced tables differ between the databases.
    const kept = record.synced
      ? `row_id IN (SELECT id FROM temp.stage_${table} WHERE ${where})`
      : `parent IN ${record.parent === "run_id" ? chosen : tests}`;
    prepared(db, `DELETE FROM temp.superseded WHERE table_name = ${quoteText(table)} AND ${kept}`).run(list);
    prepared(db, `DELETE FROM temp.stage_${table} WHERE ${where}`).run(list);
  }
}

/** Counts what a dry run would move. */
function countStaged({ db, records, tally }: JobSession): void {
  for (const { table } of records) {
    if (table === "runs") continue;
    tally.moved[table] +=
      prepared<[], number>(db, `SELECT count(*) FROM temp.stage_${table}`).pluck().get() ?? 0;
  }
}
