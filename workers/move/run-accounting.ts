import { jobsInHistory } from "../../shared/area/history.ts";
import { targetSql } from "../../shared/area-db/match-run.ts";
import type { MovedTable } from "../../shared/area-db/record-tables.ts";
import type { MovedRun } from "../../shared/contract/move-result.ts";
import type { RecordTable } from "../../shared/contract/names.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { idList } from "../../shared/sqlite/ids.ts";
import { labelOf, type Run, runOf } from "../area-db/run.ts";
import type { Direction, JobSession } from "./session/job-session.ts";

// Each moved run is counted in exactly one line of the history, that of its job in `mtjobs_runs`; so a line tells
// what is committed. A run that was removed completely without its last state is counted by the job that writes this
// state; runs of a job that ended without a line pass to the next job.
//
// A restored run leaves completed-runs.db; `mtjobs_restored` keeps its counts until its job has a line. So does
// `mtjobs_imported` for a run that is moved by another job than the one that imported it. `mtjobs_purged` stays.

/** Tables with what a job did, as JSON. */
const notes = { restore: "mtjobs_restored", import: "mtjobs_imported" } as const;
type Noted = keyof typeof notes;

/** Runs counted in one statement. */
const chunk = 500;

/**
 * Counts the runs that belong to this job before it moves any: its own, from before it was requeued or died, and
 * those of jobs that died without a line. Safe to repeat.
 */
export async function adoptCounts(session: JobSession): Promise<void> {
  const { db, context } = session;
  const unsettled = await session.read(() => unsettledJobs(session));
  const others = unsettled.filter((job) => job !== context.jobId);
  const written = jobsInHistory(session.area, others);
  const dead = others.filter((job) => !written.has(job));
  const done = others.filter((job) => written.has(job));
  if (others.length > 0) {
    await session.commit("completed", () => {
      const listed = "job_id IN (SELECT value FROM json_each(?))";
      const adopt = (rows: string) =>
        db.prepare(`UPDATE completed.${rows} AND ${listed}`).run(context.jobId, JSON.stringify(dead));
      adopt("mtjobs_runs SET job_id = ? WHERE state = 'moved' AND looked_at = 0");
      adopt("mtjobs_purged SET job_id = ? WHERE counted = 0");
      for (const table of Object.values(notes)) {
        adopt(`${table} SET job_id = ? WHERE 1`);
        db.prepare(`DELETE FROM completed.${table} WHERE ${listed}`).run(JSON.stringify(done));
      }
      db.prepare(`UPDATE completed.mtjobs_purged SET counted = 1 WHERE counted = 0 AND ${listed}`).run(
        JSON.stringify(done),
      );
    });
  }
  if (dead.length > 0)
    context.log(`This job also counts what ${dead.join(", ")} moved without a line in the history.`);
  await countMoved(session);
  await countNoted(session, "restore");
  await countNoted(session, "import");
  await countPurged(session);
}

/** Records restored or imported runs, with their rows by table. Call in the transaction of their state. */
export function recordRuns(
  { db, context }: JobSession,
  direction: Noted,
  runs: readonly Run[],
  rows: RowCounts,
): void {
  prepared(db, `INSERT INTO completed.${notes[direction]} (job_id, at, runs, rows) VALUES (?, ?, ?, ?)`).run(
    context.jobId,
    Date.now(),
    JSON.stringify(runs.map(labelOf)),
    JSON.stringify(rows),
  );
}

export type RowCounts = readonly (readonly [RecordTable, number])[];

/** Counts runs of a direction, with their rows by table. */
export function tallyRuns(
  { counts }: JobSession,
  direction: Exclude<Direction, "reduce">,
  runs: readonly Run[],
  rows: RowCounts,
): void {
  const tally = counts[direction];
  for (const [table, count] of rows) {
    tally.moved[table] += count;
    tally.rowsDone += count;
  }
  for (const run of runs) tally.movedRun(run);
}

async function countNoted(session: JobSession, direction: Noted): Promise<void> {
  const { db, context } = session;
  const noted = await session.read(() =>
    db
      .prepare<[string], { runs: string; rows: string }>(
        `SELECT runs, rows FROM completed.${notes[direction]} WHERE job_id = ? ORDER BY id`,
      )
      .all(context.jobId),
  );
  for (const { runs, rows } of noted) {
    const labels = JSON.parse(runs) as MovedRun[];
    tallyRuns(session, direction, labels.map(runOf), JSON.parse(rows) as RowCounts);
  }
}

async function countPurged(session: JobSession): Promise<void> {
  const { db, context } = session;
  const purged = await session.read(() =>
    db
      .prepare<[string], Run & { exportFile: string | null; rows: string }>(
        `SELECT run_id AS id, target, runname, export_file AS exportFile, rows FROM completed.mtjobs_purged
         WHERE job_id = ? ORDER BY id`,
      )
      .safeIntegers()
      .all(context.jobId),
  );
  for (const { rows, exportFile, ...run } of purged) {
    const label = { ...run, exportFile: exportFile ?? undefined };
    tallyRuns(session, "purge", [label], JSON.parse(rows) as RowCounts);
  }
}

/**
 * Recounts from what is committed if the job could not write the last states of its runs.
 */
export async function recount(session: JobSession): Promise<void> {
  const { db, context, counts } = session;
  const tally = counts.reduce;
  const committed = await session.read(() =>
    db
      .prepare<[string], number>(
        "SELECT count(*) FROM completed.mtjobs_runs WHERE state = 'moved' AND job_id = ?",
      )
      .pluck()
      .get(context.jobId),
  );
  // The tally includes all that is committed, and perhaps more.
  if (committed === tally.moved.runs) return;
  tally.forgetMoved();
  await countMoved(session);
}

/** Returns the jobs with moved runs not yet checked for late rows, or with other runs that no line may count yet. */
function unsettledJobs({ db }: JobSession): string[] {
  return db
    .prepare<[], string>(
      `SELECT job_id FROM completed.mtjobs_runs WHERE state = 'moved' AND looked_at = 0
       UNION SELECT job_id FROM completed.mtjobs_restored UNION SELECT job_id FROM completed.mtjobs_imported
       UNION SELECT job_id FROM completed.mtjobs_purged WHERE counted = 0`,
    )
    .pluck()
    .all();
}

async function countMoved(session: JobSession): Promise<void> {
  const { db, keys, context, counts } = session;
  const tally = counts.reduce;
  const runs = await session.read(() =>
    db
      .prepare<[string], Run>(
        `SELECT m.run_id AS id, ${targetSql(keys, "r")} AS target, coalesce(r.runname, '') AS runname
         FROM completed.mtjobs_runs AS m CROSS JOIN completed.runs AS r ON r.id = m.run_id
         WHERE m.state = 'moved' AND m.job_id = ?`,
      )
      .safeIntegers()
      .all(context.jobId),
  );
  for (let from = 0; from < runs.length; from += chunk) {
    const some = runs.slice(from, from + chunk);
    const ids = some.map(({ id }) => id);
    const rows = await session.read(() => runRows(session, ids));
    for (const [table, count] of rows) tally.moved[table] += count;
    for (const run of some) tally.movedRun(run);
  }
}

/** Counts the rows of these runs in each table of completed-runs.db, without the runs themselves. */
export function runRows(
  { db, records }: JobSession,
  runs: readonly bigint[],
): [Exclude<MovedTable, "runs">, number][] {
  const list = idList(runs);
  return records.flatMap(({ table, parent }) => {
    if (table === "runs") return [];
    const from =
      parent === "run_id"
        ? `json_each(?) AS j CROSS JOIN completed.${table} AS d ON d.run_id = j.value`
        : `json_each(?) AS j CROSS JOIN completed.tests AS t ON t.run_id = j.value
           CROSS JOIN completed.${table} AS d ON d.test_id = t.id`;
    const count = prepared<[string], number>(db, `SELECT count(*) FROM ${from}`).pluck().get(list) ?? 0;
    return [[table, count] as [Exclude<MovedTable, "runs">, number]];
  });
}
