import { defaultDeadAfterMs } from "../../shared/contract/defaults.ts";
import type { PurgePayload } from "../../shared/contract/payload.ts";
import { JobsError } from "../../shared/errors.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { runDirectories } from "../../shared/sqlite/run-directories.ts";
import { labelOf, type Run } from "../area-db/run.ts";
import { collectRowsOf } from "../move/collect-late-rows.ts";
import { deletePurged } from "../move/copy/delete-purged.ts";
import { supersededOfRuns } from "../move/copy/superseded-of-runs.ts";
import { countRuns } from "../move/dry-run.ts";
import type { LeasedSession } from "../move/leased-session.ts";
import { type RowCounts, runRows, tallyRuns } from "../move/run-accounting.ts";
import { lastActivity, selectMovedRuns } from "../move/select/choose-moved-runs.ts";
import type { Candidate } from "../move/select/choose-runs.ts";
import { isBack } from "../move/select/find-late-rows.ts";
import { isAlive } from "../move/select/live-tests.ts";
import type { JobSession } from "../move/session/job-session.ts";
import { indexChildren, indexNewChildren } from "../records/child-index.ts";
import { exportRun, removeUnfinished, versionOfFile } from "./export-run.ts";
import { keepLease } from "./write-export.ts";

/** How often a run is exported while another program writes to completed-runs.db. */
const maxTries = 3;

/**
 * Returns the moved runs to purge. One of which megatest.db or a cache has rows again, as of a test that was started
 * anew, stays as in flight; its rows are collected, because those under an old id would be found by no later job.
 */
export async function choosePurgedRuns(session: LeasedSession, payload: PurgePayload): Promise<Candidate[]> {
  const chosen: Candidate[] = [];
  const back: bigint[] = [];
  for (const run of await selectMovedRuns(session, payload, "purge")) {
    if (await isBack(session, run.id)) {
      back.push(run.id);
      session.tally.skip(labelOf(run), "in-flight");
    } else chosen.push(run);
  }
  await collectRowsOf(session, back);
  return chosen;
}

/** Counts the runs that a purge would choose once it has collected late rows: only those of active tests stay. */
export async function rehearsePurge(session: JobSession, payload: PurgePayload): Promise<void> {
  const chosen: Candidate[] = [];
  for (const run of await selectMovedRuns(session, payload, "purge")) {
    const stays = (await isBack(session, run.id)) && (await isAlive(session, run.id, defaultDeadAfterMs));
    if (stays) session.tally.skip(labelOf(run), "in-flight");
    else chosen.push(run);
  }
  await countRuns(session, chosen);
}

/** What a purge works with. */
interface Purge {
  session: JobSession;
  areaId: string;
  /** Of exports, with links resolved; undefined: runs are not exported. */
  directory: string | undefined;
  /** Ids in `mtjobs_superseded` by run. */
  superseded: ReadonlyMap<bigint, readonly bigint[]>;
}

/** Purges runs one by one: exports each, commits that it is purged, and deletes its rows. */
export async function purgeRuns(
  session: JobSession,
  runs: readonly Candidate[],
  { areaId, directory }: Pick<Purge, "areaId" | "directory">,
): Promise<void> {
  const { context, tally } = session;
  context.log(`Runs to purge: ${runs.length}.`);
  if (runs.length === 0) return;
  if (directory !== undefined) removeUnfinished(directory, areaId);
  const purge = { session, areaId, directory, superseded: await supersededOfRuns(session) };
  // Late rows may have been removed since the job read the tables.
  for (const part of session.sources) await indexChildren(session, part);
  for (const [index, run] of runs.entries()) {
    context.signal.throwIfAborted();
    if (session.endEarly(runs.length - index)) return;
    context.progress({
      phase: "purging",
      runs: { done: tally.moved.runs, total: runs.length },
      rows: { done: tally.rowsDone },
    });
    await keepLease(session);
    await purgeRun(purge, run);
  }
}

async function purgeRun(purge: Purge, run: Candidate): Promise<void> {
  const { session, superseded } = purge;
  const { context, tally } = session;
  for (let tries = 1; ; tries++) {
    const purged = await exportAndCommit(purge, run);
    if (purged === "in-flight") {
      tally.skip(labelOf(run), purged);
      return;
    }
    if (purged !== undefined) {
      tallyRuns(session, "purge", [purged.run], purged.rows);
      context.failpoint("purging");
      await deletePurged(session, [run], superseded);
      return;
    }
    if (tries < maxTries) continue;
    tally.skip(labelOf(run), "changed");
    return;
  }
}

interface Purged {
  run: Run;
  rows: RowCounts;
}

/**
 * Returns "in-flight", with the run as it was, if a source has rows of it again; undefined if another program wrote to
 * completed-runs.db or to the export.
 */
async function exportAndCommit(
  purge: Purge,
  candidate: Candidate,
): Promise<Purged | "in-flight" | undefined> {
  const { session, areaId, directory, superseded } = purge;
  const { id, target, runname } = candidate;
  const version = await session.read(() => versionOfCompleted(session));
  const exported = { id, target, runname, areaId, superseded: superseded.get(id) ?? [] };
  const file = directory === undefined ? undefined : await exportRun(session, exported, directory);
  if (file !== undefined) session.context.failpoint("exported");
  const rows = await session.read(() => runRows(session, [id]));
  const run = { id, target, runname, exportFile: file?.path };
  const facts = await session.read(() => ({
    activeAt: lastActivity(session, candidate),
    directories: runDirectories(session.db, "completed", run),
  }));
  for (const part of session.sources) await indexNewChildren(session, part);
  if (await isBack(session, id)) return "in-flight";
  const committed = await session.commit("completed", () => {
    // Under the write lock: what was compared is what will be deleted.
    if (versionOfCompleted(session) !== version) return false;
    if (file !== undefined && versionOfFile(file.path) !== file.version) return false;
    recordPurged(session, { run, rows }, facts);
    return true;
  });
  return committed ? { run, rows } : undefined;
}

/** Changes with every commit of another connection to completed-runs.db. */
function versionOfCompleted({ db }: JobSession): number {
  return db.pragma("completed.data_version", { simple: true }) as number;
}

/** Call in a transaction. */
function recordPurged(
  { db, context }: JobSession,
  { run, rows }: Purged,
  { activeAt, directories }: { activeAt: number; directories: readonly string[] },
): void {
  const { changes } = prepared(
    db,
    "UPDATE completed.mtjobs_runs SET state = 'purging' WHERE run_id = ? AND state = 'moved'",
  ).run(run.id);
  if (changes !== 1) throw new JobsError("internal", `run ${run.id} is no longer in completed-runs.db`);
  prepared(
    db,
    `INSERT INTO completed.mtjobs_purged
       (job_id, at, run_id, target, runname, active_at, export_file, rows, directories)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    context.jobId,
    Date.now(),
    run.id,
    run.target,
    run.runname,
    activeAt,
    run.exportFile ?? null,
    JSON.stringify(rows),
    JSON.stringify(directories),
  );
}
