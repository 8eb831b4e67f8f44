import { statSync } from "node:fs";
import { clockSkewMs } from "../../../shared/area/cache/mtime.ts";
import type { MigrateStepPayload } from "../../../shared/contract/migrate-payload.ts";
import type { CheckReport } from "../../../shared/contract/migrate-result.ts";
import type { FileDigest, MigrationRow } from "../../../shared/contract/migration-row.ts";
import { defined } from "../../../shared/defined.ts";
import { toJobsError } from "../../../shared/errors.ts";
import { setRefillDue } from "../../area-db/fence.ts";
import { assertSchemaFits } from "../../area-db/fit-area.ts";
import type { JobContext } from "../../area-db/job-context.ts";
import { type OpenedArea, openAreaForJob, prepareArea } from "../../area-db/open-area.ts";
import { retryWhileBusy } from "../../area-db/transaction.ts";
import { type AreaSession, areaSession } from "../../records/area-session.ts";
import { reconcileRows } from "../../records/reconcile-cache.ts";
import { refusal, undoneError } from "../checks/refusal.ts";
import { closeDatabase, readClosed } from "../pair/closed.ts";
import { writeSnapshot } from "../pair/copy-database.ts";
import { digestInThread } from "../pair/digest-in-thread.ts";
import { assertGapFit } from "../pair/id-gap.ts";
import { ensureMigrationDirectory } from "../state/migration-files.ts";
import { type MigrationSession, withMigration } from "../state/migration-session.ts";
import { advance, beginMigration, migrationOf, refuseIfOpen } from "../state/migration-table.ts";
import { checkOpenArea } from "./check-source.ts";
import { rowOf, undoOnOld } from "./undo.ts";

export type ClosePayload = Extract<MigrateStepPayload, { step: "close" }>;

export interface CloseReport {
  token: number;
  source: MigrationRow["source"];
  /** Sizes in bytes, by file name. */
  bytes: Record<string, number>;
  checks: CheckReport["checks"];
}

/**
 * Closes the old home: takes the lease, reconciles cache and megatest.db, closes the pair and leaves a verified copy
 * in the area. Continues if resumed while its lease is alive, else undoes.
 *
 * @throws JobsError a refusal if nothing was begun; `rolled-back`; `stopped` or `lost-lease` with the state unchanged
 */
export async function close(payload: ClosePayload, context: JobContext): Promise<CloseReport> {
  const opened = await openAreaForJob(payload, context);
  await retryWhileBusy(context.signal, () => assertSchemaFits(opened.files, opened.tally));
  await retryWhileBusy(context.signal, () => assertGapFit(opened.files));
  await retryWhileBusy(context.signal, () => prepareArea(opened));
  const { area, cache: pair, refillDue } = opened;
  const options = { context, area, pair, migration: payload.migration, lease: "any", refillDue } as const;
  return await withMigration(options, async (session) => {
    const rows = await session.read(() => areaSession(session));
    const known = await session.read(() => migrationOf(session.db, payload.migration));
    if (known !== undefined && !session.wasAlive && isBefore(known)) {
      await undoOnOld(
        session,
        known,
        "the worker that closed the old home died, and no other worker took over in time",
      );
    }
    const checks = known === undefined ? await begin(session, opened, payload) : [];
    return await closing(session, rows, payload, checks);
  });
}

const isBefore = ({ state }: MigrationRow) => state === "closing" || state === "closed";

/** Repeats the check under the lease and begins the migration. */
async function begin(
  session: MigrationSession,
  opened: OpenedArea,
  payload: ClosePayload,
): Promise<CheckReport["checks"]> {
  const { context, db } = session;
  try {
    await session.read(() => refuseIfOpen(db));
    const report = await checkOpenArea(opened, payload, clockSkewMs(opened.area));
    const refused = refusal(report);
    if (refused !== undefined) throw refused;
    const row = {
      job_id: payload.migration,
      requested_by: payload.requestedBy,
      kind: "migration",
      from_home: payload.fromHome,
      to_home: payload.toHome,
      from_host: context.settings.host,
      to_host: payload.toHost,
      source: opened.cache === undefined ? "megatest.db" : "cache",
    } as const;
    await session.commit("area", () => beginMigration(db, row, session.token));
    context.failpoint("migration-begun");
    ensureMigrationDirectory(session.area, session.token);
    return report.checks;
  } catch (error) {
    await leave(session, payload.migration, error);
    throw error;
  }
}

async function closing(
  session: MigrationSession,
  rows: AreaSession,
  payload: ClosePayload,
  checks: CheckReport["checks"],
): Promise<CloseReport> {
  const row = await rowOf(session, payload.migration);
  if (row.state === "undoing" || row.state === "undone") {
    // A paused worker: the migration ended without it.
    await session.giveBack().catch(() => {});
    throw undoneError(row);
  }
  try {
    if (row.state === "closing") {
      await closePair(session, rows, row);
      const digests = await copyPair(session, row);
      await session.commit("area", () => advance(session.db, row.token, "closed", { digests }));
      session.context.failpoint("migration-closed");
    }
    await session.handOver();
    return { token: row.token, source: row.source, bytes: sizesOf(session), checks };
  } catch (error) {
    await leave(session, payload.migration, error);
    throw error;
  }
}

/** Closes cache and ref; after the first commit no row of the old cache changes. */
async function closePair(session: MigrationSession, rows: AreaSession, row: MigrationRow): Promise<void> {
  const { context, db, files } = session;
  if (files.cache === undefined) return;
  const mark = { token: row.token, movedTo: row.to_home, closedAt: Date.now() };
  if ((await session.read(() => readClosed(db, "cache"))) === undefined) {
    const reconciled = await reconcileBeforeClose(rows);
    // The reconciliation has settled it.
    await session.commit("cache", () => setRefillDue(db, false));
    context.log(`Reconciled ${reconciled} rows between the cache and megatest.db.`);
    context.failpoint("migration-gathered");
  }
  await session.commit("cache", () => closeDatabase(db, "cache", mark));
  context.failpoint("old-cache-closed");
  context.log(`The cache is closed to writers; moving the homehost to ${row.to_home}.`);
  await reconcileAfterClose(rows);
  if (files.ref !== undefined) await session.commit("ref", () => closeDatabase(db, "ref", mark));
  context.failpoint("old-ref-closed");
}

async function copyPair(
  session: MigrationSession,
  row: MigrationRow,
): Promise<Partial<Record<"cache" | "ref", FileDigest>>> {
  const { context, area, pair, token } = session;
  if (pair === undefined) return {};
  const directory = ensureMigrationDirectory(area, row.token);
  const { signal } = context;
  const files = defined({ cache: pair.megatestDb, ref: pair.refDb });
  const [, digests] = await Promise.all([
    writeSnapshot({ pair, directory, stepToken: token, model: area.megatestDb, signal }),
    digestInThread(files, signal),
  ]);
  context.failpoint("snapshot-written");
  return digests;
}

function sizesOf({ pair }: MigrationSession): Record<string, number> {
  if (pair === undefined) return {};
  const { megatestDb, refDb } = pair;
  return defined({
    "cache/megatest.db": statSync(megatestDb).size,
    "cache/megatest_ref.db": refDb === undefined ? undefined : statSync(refDb).size,
  });
}

/** Undoes or ends the migration after an error before the commit point; the caller rethrows. */
async function leave(session: MigrationSession, jobId: string, thrown: unknown): Promise<void> {
  const error = toJobsError(thrown);
  // The next worker continues while the lease is alive, or undoes.
  if (error.code === "stopped" || error.code === "lost-lease") return;
  try {
    const row = await session.read(() => migrationOf(session.db, jobId));
    if (row === undefined) await session.giveBack();
    else if (isBefore(row)) await undoOnOld(session, row, error.message);
  } catch (why) {
    session.context.log(
      `The migration could not be undone yet and will be undone later: ${toJobsError(why).message}.`,
    );
  }
}

/**
 * Reconciles cache and megatest.db in both directions before the pair is closed. Returns the number of rows.
 */
export async function reconcileBeforeClose(session: AreaSession): Promise<number> {
  return session.fresh === "cache" ? await reconcileRows(session, "both") : 0;
}

/**
 * Reconciles again after closing, from the cache only, what clients wrote until then. Newer rows of megatest.db,
 * which only a manual edit causes, wait for the next job.
 */
export async function reconcileAfterClose(session: AreaSession): Promise<number> {
  return session.fresh === "cache" ? await reconcileRows(session, "from-cache") : 0;
}
