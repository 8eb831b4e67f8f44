import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { MovePayload } from "../../shared/contract/payload.ts";
import { toJobsError } from "../../shared/errors.ts";
import { hasTable } from "../../shared/sqlite/table.ts";
import { CacheTimes, cacheTimesSetup } from "../area-db/cache-mtime.ts";
import { connect, sourcesOf } from "../area-db/databases.ts";
import { assertSchemaFits } from "../area-db/fit-area.ts";
import { acquire, assertAdmitted, type LeaseOptions, release, renewLease } from "../area-db/lease.ts";
import { type OpenedArea, prepareArea } from "../area-db/open-area.ts";
import { retryWhileBusy } from "../area-db/transaction.ts";
import { indexChildren } from "../records/child-index.ts";
import { reconcileCache } from "../records/reconcile-cache.ts";
import { collectLateRows, noteSeen } from "./collect-late-rows.ts";
import { copyAreaRows } from "./copy-area-rows.ts";
import { repairIdClashes } from "./ids/id-clashes.ts";
import { LeasedSession } from "./leased-session.ts";
import { historyLine, recordFailure, recordResult, sidesAfter } from "./record-outcome.ts";
import { finishInterrupted, finishPurges } from "./recover.ts";
import { describeResult, fileSizes } from "./report.ts";
import { adoptCounts, recount } from "./run-accounting.ts";
import { type JobSession, jobSetup } from "./session/job-session.ts";

/**
 * Runs the steps of a job under the area's lease, writes the history and returns the result. Before the steps it
 * creates what the area lacks and resolves a migration left open.
 *
 * May be killed anywhere and run again: see "What if it dies here" in docs/moving.md.
 *
 * @throws JobsError with what stopped the job; what was moved until then stays moved
 */
export async function runOnArea(
  job: MoveResult["job"],
  opened: OpenedArea,
  payload: MovePayload,
  steps: (session: LeasedSession, areaId: string) => Promise<void>,
): Promise<MoveResult> {
  const { area, cache, files, context, tally } = opened;
  const { signal } = context;
  await retryWhileBusy(signal, () => assertAdmitted(files, context));
  const before = fileSizes(files);
  await retryWhileBusy(signal, () => assertSchemaFits(files, tally));
  const areaId = await retryWhileBusy(signal, () => prepareArea(opened));
  context.failpoint("prepared");
  const parts = [...sourcesOf(files), "completed"] as const;
  const db = await retryWhileBusy(signal, () => connect(files, parts));
  try {
    const times = new CacheTimes(cacheTimesSetup(area, cache));
    const setup = await retryWhileBusy(signal, () => jobSetup(db, opened, payload, job));
    const lease: LeaseOptions = { db, refillDue: opened.refillDue, parts, context, times };
    const token = await acquire(lease);
    try {
      const session = await retryWhileBusy(
        signal,
        () => new LeasedSession({ ...setup, cache, times, token }),
      );
      const report = async (reader: JobSession) => {
        await recount(reader);
        return describeResult({ session, payload, job, areaId, before, started: opened.started });
      };
      try {
        await resolveMigration(session, opened);
        try {
          await steps(session, areaId);
        } finally {
          await session.writing?.pipeline.close();
        }
        const result = await report(session);
        const sides = await sidesAfter(session);
        // Only the holder writes history: one that was overtaken at its last step ends here.
        await session.read(() => renewLease(db, times, token));
        recordResult(session, historyLine(result, payload, sides));
        context.failpoint("history-written");
        return result;
      } catch (error) {
        throw await recordFailure(session, payload, report, error);
      }
    } finally {
      context.failpoint("releasing");
      // The job's own outcome stands; a lease that cannot be released expires.
      await release(lease, token).catch((error: unknown) =>
        context.log(`Could not release the lease, which will expire: ${toJobsError(error).message}.`),
      );
    }
  } finally {
    db.close();
  }
}

/** Resolves a migration left open. Its code is loaded only for an area that ever had one. */
async function resolveMigration(session: LeasedSession, { cache: pair }: OpenedArea): Promise<void> {
  const { context, area, db, files, token, times } = session;
  const isMarked = () =>
    hasTable(db, "area", "mtjobs_migrations") ||
    (files.cache !== undefined && hasTable(db, "cache", "mtjobs_closed"));
  if (!(await session.read(isMarked))) return;
  const { resolveOpenMigration } = await import("../migrate/steps/resolve-open.ts");
  const { MigrationSession } = await import("../migrate/state/migration-session.ts");
  const step = { context, area, pair, db, files, token, times, wasAlive: false };
  await resolveOpenMigration(new MigrationSession(step));
  const { repairGap } = await import("../migrate/pair/id-gap.ts");
  await repairGap(session);
}

/** Reconciles cache and megatest.db if a refill was due, and brings the area's own rows to completed-runs.db. */
export async function reconcile(session: LeasedSession): Promise<void> {
  await reconcileCache(session);
  await copyAreaRows(session);
  session.context.failpoint("brought-together");
}

/** Finishes or undoes what an interrupted job left, repairs ids, and collects rows that came late for moved runs. */
export async function recover(session: LeasedSession, payload: MovePayload): Promise<void> {
  for (const part of session.sources) await indexChildren(session, part);
  await adoptCounts(session);
  await finishInterrupted(session, payload);
  await noteSeen(session);
  await repairIdClashes(session);
  await finishPurges(session);
  await collectLateRows(session);
  session.context.failpoint("late-collected");
}

/** Repairs ids again: Megatest may have removed the guards while the job moved runs. */
export async function checkIds(session: LeasedSession): Promise<void> {
  if ((await repairIdClashes(session)) > 0) await collectLateRows(session);
}
