import { readHistory } from "../../shared/area/history.ts";
import { targetSql } from "../../shared/patterns.ts";
import type { RunLabel } from "../../shared/result.ts";
import { proveToken } from "../fence.ts";
import type { Move } from "./move.ts";
import { runRows } from "./run-rows.ts";
import { outwaitBusy, transact } from "./transaction.ts";

/**
 * Each moved run is counted in exactly one line of the history: that of the job which `mtjobs_runs` names for
 * it. So a line tells what is committed. A run that was removed to the end, but whose last state did not come to be
 * written, is counted by the job that writes it; and runs of a job that ended without a line go over to the next.
 */

/** Runs counted in one go. */
const chunk = 500;

/**
 * Counts in the runs this job answers for before it moves any: its own, from before it was put back or died, and
 * those of jobs that died without a line. Safe to repeat: what was taken over is its own then.
 */
export async function takeOverCounts(move: Move): Promise<void> {
  const { db, context, token } = move;
  const dead = jobsLookedAtLast(move).filter((job) => job !== context.jobId && !hasLine(move, job));
  if (dead.length > 0) {
    await outwaitBusy(context.signal, () =>
      transact(db, () => {
        proveToken(db, "completed", token, Date.now());
        db.prepare(
          `UPDATE completed.mtjobs_runs SET job_id = ? WHERE state = 'moved' AND looked_at = 0
             AND job_id IN (SELECT value FROM json_each(?))`,
        ).run(context.jobId, JSON.stringify(dead));
      }),
    );
    context.log(`What ${dead.join(", ")} moved before it died is counted with this job.`);
  }
  countMoved(move);
}

/** Makes the tally what is committed, where the job did not come to write the last states of its runs. */
export function settleCounts(move: Move): void {
  const { db, context, counts } = move;
  const tally = counts.reduce;
  const committed = db
    .prepare<[string], number>(
      "SELECT count(*) FROM completed.mtjobs_runs WHERE state = 'moved' AND job_id = ?",
    )
    .pluck()
    .get(context.jobId);
  // The tally holds all that is committed, and perhaps more.
  if (committed === tally.moved.runs) return;
  tally.forgetMoved();
  countMoved(move);
}

/** Jobs that moved runs nobody has looked at again since; the last job's, unless some died. */
function jobsLookedAtLast({ db }: Move): string[] {
  return db
    .prepare<[], string>(
      "SELECT DISTINCT job_id FROM completed.mtjobs_runs WHERE state = 'moved' AND looked_at = 0",
    )
    .pluck()
    .all();
}

function hasLine({ area }: Move, job: string): boolean {
  return readHistory(area, { limit: Number.MAX_SAFE_INTEGER }).some(({ jobId }) => jobId === job);
}

function countMoved(move: Move): void {
  const { db, keys, context, counts } = move;
  const tally = counts.reduce;
  const runs = db
    .prepare<[string], RunLabel>(
      `SELECT m.run_id AS id, ${targetSql(keys, "r")} AS target, coalesce(r.runname, '') AS runname
       FROM completed.mtjobs_runs AS m CROSS JOIN completed.runs AS r ON r.id = m.run_id
       WHERE m.state = 'moved' AND m.job_id = ?`,
    )
    .all(context.jobId);
  for (let from = 0; from < runs.length; from += chunk) {
    const some = runs.slice(from, from + chunk);
    const rows = runRows(
      move,
      some.map(({ id }) => id),
    );
    for (const [table, count] of rows) tally.moved[table] += count;
    for (const run of some) tally.movedRun(run);
  }
}
