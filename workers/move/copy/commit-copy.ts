import { JobsError } from "../../../shared/errors.ts";
import { prepared } from "../../../shared/sqlite/connection.ts";
import { withoutTriggers } from "../../../shared/sqlite/triggers.ts";
import { planOf } from "../../records/record-session.ts";
import { columnList, sameRow } from "../../records/row-sql.ts";
import { renewSuperseded } from "../../records/superseded.ts";
import { unmatchedRows } from "../../records/unsynced-rows.ts";
import type { JobSession } from "../session/job-session.ts";
import { blockSources, resolveArchiveBlocks, stageArchiveBlocks } from "./archive-blocks.ts";
import { insertStage } from "./insert-staged.ts";

/** State of a run in completed-runs.db. */
export type RunState =
  /** The copy is incomplete or unverified: megatest.db and the cache hold the run. */
  | "copying"
  /** The copy is complete, verified and counts; the run is being removed from the other databases. */
  | "removing"
  /** Only completed-runs.db has the run. */
  | "moved"
  /** The run is being restored: the copy counts until the run is complete in every source and readers have finished. */
  | "restoring"
  /** The sources count again; the copy is about to be deleted. */
  | "restored"
  /** The run is exported, or need not be, and is about to be deleted. */
  | "purging"
  /** The run is being copied from an export, which still holds it. */
  | "importing";

/** Changes of state to write with the next commit into completed-runs.db. */
export class PendingStates {
  #states = new Map<bigint, RunState>();

  set(runs: readonly bigint[], state: RunState): void {
    for (const run of runs) this.#states.set(run, state);
  }

  /** Drops the pending changes of these runs. */
  drop(runs: readonly bigint[]): void {
    for (const run of runs) this.#states.delete(run);
  }

  get size(): number {
    return this.#states.size;
  }

  /** Writes the changes inside the caller's transaction. They are kept until `written`. */
  write(session: JobSession, now: number): void {
    const upsert = prepared(
      session.db,
      `INSERT INTO completed.mtjobs_runs (run_id, state, job_id, changed_at) VALUES (:run, :state, :job, :now)
       ON CONFLICT (run_id) DO UPDATE SET state = :state, job_id = :job, changed_at = :now`,
    );
    for (const [run, state] of this.#states) upsert.run({ run, state, job: session.context.jobId, now });
  }

  written(): void {
    this.#states.clear();
  }
}

/** Commits states alone, if no copy follows. */
export function commitStates(session: JobSession, pending: PendingStates): void {
  if (pending.size === 0) return;
  session.commitOnce("completed", () => pending.write(session, Date.now()));
  pending.written();
}

/** Commits the staged rows into completed-runs.db, with the losing versions and pending states. Reads only the stage. */
export function commitStage(session: JobSession, pending: PendingStates): void {
  const { db } = session;
  const now = Date.now();
  const archives =
    planOf(session, "tests").columnsIn("completed").includes("archived") &&
    stageArchiveBlocks(db, blockSources(session.sources), "temp.stage_tests");
  const kept = session.commitPatiently("completed", () => {
    pending.write(session, now);
    withoutTriggers(db, "completed", () => {
      if (archives) resolveArchiveBlocks(db);
      insertStage(session);
    });
    return renewSuperseded(session, now);
  });
  pending.written();
  session.countKept(kept);
}

/**
 * Compares every staged row with completed-runs.db.
 *
 * @throws JobsError `corrupt` if a row differs; nothing has been removed then
 */
export function verifyCopy({ db, records }: JobSession): void {
  for (const record of records) {
    const { table } = record;
    const columns = record.columnsIn("completed");
    const select = (from: string) => `SELECT ${columnList(columns)} FROM ${from}`;
    const wrong = record.synced
      ? `SELECT 1 FROM temp.stage_${table} AS s LEFT JOIN completed.${table} AS d ON d.id = s.id
         WHERE d.id IS NULL OR NOT (${sameRow("d", "s", columns, record.mixed)})`
      : unmatchedRows(
          select(`temp.stage_${table}`),
          select(
            `completed.${table} WHERE ${record.parent} IN (SELECT ${record.parent} FROM temp.stage_${table})`,
          ),
          { columns, compared: columns, mixed: record.mixed },
        );
    if (prepared(db, `SELECT EXISTS (${wrong})`).pluck().get() === 1) {
      throw new JobsError("corrupt", `a row of ${table} reads back differently from completed-runs.db`, {
        hint: "nothing was removed; check the file system and its disk, then run the job again",
      });
    }
  }
}
