import { performance } from "node:perf_hooks";
import { appendHistory } from "../../shared/area/history.ts";
import { toJobsError } from "../../shared/errors.ts";
import type { JobContext } from "../../shared/job-context.ts";
import { defaultGraceMs } from "../../shared/queue/grace.ts";
import type { MovePayload } from "../../shared/queue/payload.ts";
import type { MoveResult } from "../../shared/result.ts";
import { hasTable } from "../../shared/sqlite/table.ts";
import { settleCounts, takeOverCounts } from "./accounts.ts";
import { bringAreaRows } from "./area-rows.ts";
import { bringTogether } from "./bring-together.ts";
import { CacheTimes, cacheTimesSetup } from "./cache-times.ts";
import { mapChildren } from "./children.ts";
import { compact } from "./compact.ts";
import { assertFit } from "./fit-area.ts";
import { repairIdClashes } from "./id-clashes.ts";
import { acquire, assertAdmitted, type LeaseOptions, release, renewLease, restUnderLease } from "./lease.ts";
import type { Move, Source } from "./move.ts";
import { openMove, openPlace, type Place } from "./prepare.ts";
import { prepareArea } from "./prepare-area.ts";
import { aliveServers, quietReason } from "./quiet.ts";
import { historyLine, noteFailure, sidesAfter } from "./record-outcome.ts";
import { finishInterrupted } from "./recover.ts";
import { RemovalLine } from "./removal-line.ts";
import { describeResult, fileSizes } from "./report.ts";
import type { Site } from "./site.ts";
import { collectLateRows } from "./sweep.ts";
import { SyncWindow, syncPassMs } from "./sync-window.ts";
import { Tally } from "./tally.ts";
import { startStations, vacuumInThread } from "./thread-station.ts";
import { assertInWindow } from "./time-budget.ts";
import { outwaitBusy } from "./transaction.ts";

/** The part of a job that differs between reduce, restore and repair. */
export interface Direction {
  job: MoveResult["job"];
  /** Databases that it may leave with free pages. */
  compacted(move: Move): readonly (Source | "completed")[];
  /** Reports what the job would do. */
  rehearse(place: Place, tally: Tally, started: number): Promise<MoveResult>;
  perform(site: Site): Promise<void>;
}

/**
 * Runs a job on an area: checks, takes the lease, finishes what earlier jobs left, performs the direction, compacts,
 * writes the history.
 *
 * May be killed anywhere and run again: see "What if it dies here" in docs/architecture.md.
 *
 * @throws JobsError with what stopped the job; what was moved before stays moved
 */
export async function workOnArea(
  payload: MovePayload,
  context: JobContext,
  direction: Direction,
): Promise<MoveResult> {
  const started = performance.now();
  assertInWindow(payload);
  const tally = new Tally();
  const place = await openPlace(payload, context, tally);
  if (payload.dryRun) return direction.rehearse(place, tally, started);

  await outwaitBusy(context.signal, () => assertAdmitted(place.files, context));
  const before = fileSizes(place.files);
  await outwaitBusy(context.signal, () => assertFit(place.files, tally));
  const areaId = await outwaitBusy(context.signal, () => prepareArea(place));
  context.failpoint("prepared");
  const { job } = direction;
  const move = await outwaitBusy(context.signal, () => openMove(place, { payload, job }, context, tally));
  const times = new CacheTimes(cacheTimesSetup(place.area, place.cache));
  const lease: LeaseOptions = {
    db: move.db,
    refillDue: place.refillDue,
    parts: [...move.sources, "completed"],
    context,
    times,
  };
  try {
    move.token = await acquire(lease);
    const report = async (signal: AbortSignal) => {
      await settleCounts(move, signal);
      return describeResult({ move, payload, job, areaId, before, started });
    };
    try {
      await endMigration(move, place, times);
      await tidyAndPerform(move, place, payload, lease, direction);
      const result = await report(context.signal);
      const sides = await sidesAfter(move, context.signal);
      // Only a lease holder writes history: a job overtaken at its last step ends here.
      await outwaitBusy(context.signal, () => renewLease(move.db, lease.times, move.token));
      appendHistory(place.area, historyLine(result, payload, sides));
      context.failpoint("history-written");
      return result;
    } catch (error) {
      await noteFailure(move, payload, report, error);
      throw error;
    } finally {
      context.failpoint("releasing");
      // The job is done or has failed for its own reason, so a failure here only lets the lease expire.
      await release(lease, move.token).catch((error: unknown) =>
        context.log(`Could not release the lease, which will expire: ${toJobsError(error).message}.`),
      );
    }
  } finally {
    move.db.close();
  }
}

/** Finishes or undoes what a migration left. Loaded on demand: most areas never migrate. */
async function endMigration(move: Move, { area, cache: pair }: Place, times: CacheTimes): Promise<void> {
  const { context, db, files, token } = move;
  const isMarked = () =>
    hasTable(db, "area", "mtjobs_migrations") ||
    (files.cache !== undefined && hasTable(db, "cache", "mtjobs_closed"));
  if (!(await outwaitBusy(context.signal, isMarked))) return;
  const { meetMigration } = await import("../migrate/meet-migration.ts");
  const { MigrationSession } = await import("../migrate/part.ts");
  const session = { context, area, pair, db, files, token, times, wasAlive: false };
  await meetMigration(new MigrationSession(session));
  const { mendGap } = await import("../migrate/id-gap.ts");
  await mendGap(move, () => times.renew());
}

/** Runs the steps under the lease. */
async function tidyAndPerform(
  move: Move,
  place: Place,
  payload: MovePayload,
  lease: LeaseOptions,
  direction: Direction,
): Promise<void> {
  const { context } = move;
  const renew = () => lease.times.renew();
  const rest = (ms: number) => restUnderLease(lease, move.token, ms);
  const servers = aliveServers(place.area, context.settings.host);
  const syncPass = servers.length > 0 ? () => rest(syncPassMs(move.files.cache)) : undefined;
  const window = new SyncWindow(syncPass);
  await bringTogether(move, renew);
  await bringAreaRows(move);
  context.failpoint("brought-together");
  const line = openLine(move, place, syncPass !== undefined, () => window.enter());
  try {
    for (const part of move.sources) await mapChildren(move.db, part, move.records, context.signal);
    const sweeper = { line, beforeCommit: renew };
    await takeOverCounts(move);
    await finishInterrupted(move, line, {
      deadAfterMs: payload.deadAfter,
      grace: "grace" in payload ? payload.grace : defaultGraceMs,
      beforeCommit: renew,
      rest,
    });
    await repairIdClashes(move, renew);
    await collectLateRows(move, sweeper);
    context.failpoint("late-collected");
    await direction.perform({ move, sweeper, syncPass, rest });
    // Guards may have been removed while the job worked.
    if ((await repairIdClashes(move, renew)) > 0) await collectLateRows(move, sweeper);
    await compact(
      move,
      // A vacuum cannot be interrupted when the time is up.
      { mode: move.time.up() === undefined ? payload.compact : "never", parts: direction.compacted(move) },
      () => quietReason(move, place.area),
      async (part) => {
        await vacuum(move, part, renew);
        context.failpoint("compacted");
      },
    );
  } finally {
    await line.close();
  }
}

/** @param syncs true if a server is alive; `beforeArea` gives its syncs time */
function openLine(move: Move, place: Place, syncs: boolean, beforeArea: () => Promise<void>): RemovalLine {
  const { context, fresh, files, keys, token } = move;
  const { jobId, signal } = context;
  const times = cacheTimesSetup(place.area, place.cache);
  const setup = { fresh, files, keys, token, jobId, times };
  return new RemovalLine(
    () =>
      startStations(
        move.sources.map((part) => ({ ...setup, part, shared: syncs && part === "area" })),
        signal,
        beforeArea,
      ),
    beforeArea,
    (step) => context.failpoint(step),
  );
}

/** Vacuums, renewing the cache's time: a vacuum may take longer than the cache may be older. */
async function vacuum({ files, token }: Move, part: Source | "completed", renew: () => void): Promise<void> {
  renew();
  const timer = setInterval(renew, 1000);
  try {
    await vacuumInThread({ files, part, token });
  } finally {
    clearInterval(timer);
    renew();
  }
}
