import { defaultSettleMs } from "../../../shared/contract/defaults.ts";
import type { CheckReport, MigrateResult } from "../../../shared/contract/migrate-result.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import type { HostStatus } from "../../../shared/contract/queue-records.ts";
import { JobsError, toJobsError } from "../../../shared/errors.ts";
import { msSince } from "../../../shared/time/elapsed.ts";
import { ownVersion } from "../../../shared/version.ts";
import {
  cancelledError,
  failed,
  onlyTimeIsLacking,
  refusal,
  undoneError,
} from "../../migrate/checks/refusal.ts";
import type { TargetReport } from "../../migrate/steps/check-target.ts";
import type { CloseReport } from "../../migrate/steps/close.ts";
import { type CoordinatorIO, type RemoteStep, RetryLater } from "./coordinator-io.ts";
import { mergeChecks } from "./coordinator-state.ts";
import { hostChecks, lostHomeChecks, serversOf, stoppedBy, unconfirmed } from "./host-checks.ts";
import { completed, failedAs } from "./migrate-result.ts";
import type { HandedOver } from "./step-job.ts";
import { cancelStep, readStep, removeStep } from "./step-queue.ts";

/** How long the old home's worker may be silent before its step is given up, ms. */
const patienceMs = 5_000;
/** Interval for checking the old home's watch, ms; Megatest's sync runs in between. */
const watchCheckMs = 15_000;
/** Shortest and longest time between two checks whether the area is quiet, ms. */
const minRecheckMs = 60_000;
const maxRecheckMs = 600_000;
/** How much longer than expected to wait for the watch, ms. */
const watchPatienceMs = 60_000;

/**
 * Runs one pass of a coordinating job, as far as the area's row and the current step allow.
 *
 * @throws RetryLater while waiting; JobsError if the migration failed
 */
export async function runPass(io: CoordinatorIO): Promise<MigrateResult> {
  return await new Coordinator(io).go();
}

class Coordinator {
  readonly #io: CoordinatorIO;

  constructor(io: CoordinatorIO) {
    this.#io = io;
  }

  async go(): Promise<MigrateResult> {
    const { at } = this.#io;
    const { step } = at;
    if (this.#io.context.isCancelled === true) return await this.#cancel(step);
    if (step === undefined) return await this.#decide();
    this.#io.phase = step.name;
    const seen = await readStep(this.#io.context.host, step);
    if (seen.state === "unfinished") return await this.#stillWaiting(step);
    delete at.step;
    at.idle = 0;
    if (seen.state === "gone") return await this.#decide();
    if (seen.state === "failed") {
      this.#io.log(`Step ${step.name} failed: ${seen.error.message}.`);
      return await this.#decide(seen.error);
    }
    if (step.name === "close") {
      const { bytes, checks, lockValue } = seen.report as CloseReport & HandedOver;
      Object.assign(at, { bytes, lockValue, checks: mergeChecks(at.checks, checks) });
      return await this.#decide();
    }
    const target = await this.#io.checkTarget();
    if (step.name === "check") return await this.#checked(target, seen.report as CheckReport);
    at.stopped = stoppedBy(seen.report as CheckReport, step.host);
    return await this.#checkSource(target);
  }

  /** Cancels the current step and undoes the migration, unless it has switched. */
  async #cancel(step: RemoteStep | undefined): Promise<MigrateResult> {
    const { at, context } = this.#io;
    if (step !== undefined && (await readStep(context.host, step)).state === "unfinished") {
      await cancelStep(context.host, step);
      throw this.#io.pause();
    }
    delete at.step;
    const target = await this.#io.checkTarget();
    if (target.own !== undefined && target.own.state !== "undone")
      return await this.#proceed(target, target.own);
    if (at.lockValue !== undefined) await this.#io.unlock(target);
    throw this.#failure(target, cancelledError());
  }

  /** Chooses the next action from the area's state. */
  async #decide(refused?: JobsError): Promise<MigrateResult> {
    const target = await this.#io.checkTarget();
    if (target.own !== undefined) return await this.#proceed(target, target.own);
    // `not-home`: the host asked is no longer the home; report all failed checks.
    if (refused !== undefined && refused.code !== "not-home") throw this.#failure(target, refused);
    if (target.atHome) return completed(this.#subject(target), "already-home");
    const old = await this.#io.oldHost(target);
    const { takeover } = this.#io.payload;
    const onHosts = await hostChecks(this.#io, target, old);
    const moved = refused === undefined ? [] : [failed("from", refused.message)];
    const lost = takeover ? lostHomeChecks(target, old) : [];
    this.#io.at.checks = mergeChecks(target.checks, onHosts, lost, moved);
    const against = refusal(this.#io.at);
    if (against !== undefined) throw this.#failure(target, against);
    return takeover ? await this.#takeOver(target, old) : await this.#checkSource(target);
  }

  async #takeOver(target: TargetReport, old: HostStatus | undefined): Promise<MigrateResult> {
    const { at, payload } = this.#io;
    if (!payload.dryRun && !payload.confirmed) throw this.#failure(target, unconfirmed(target.fromHome));
    at.syncedAt = target.syncedAt;
    if (payload.dryRun) return completed(this.#subject(target), "migrated");
    this.#io.phase = "take-over";
    const fromHome = target.fromHome ?? "";
    const homes = { fromHome, fromHost: old?.host ?? fromHome, toHome: target.toHome };
    await this.#io.underLock(target, (lock) => this.#io.beginTakeOver(homes, lock));
    return await this.#decide();
  }

  async #checkSource(target: TargetReport): Promise<never> {
    const old = await this.#io.oldHost(target);
    const criteria = { ...this.#io.quiet, version: ownVersion() };
    return await this.#io.remoteStep("check", old?.host ?? "", criteria);
  }

  async #stillWaiting(step: RemoteStep): Promise<MigrateResult> {
    const { at, context } = this.#io;
    const old = await this.#io.hostNamed(step.host);
    if (old?.alive === true || msSince(step.since) < patienceMs) throw this.#io.pause();
    const target = await this.#io.checkTarget();
    // Its worker died after finishing; the row records that.
    if (target.own !== undefined && target.own.state !== "closing") {
      delete at.step;
      return await this.#proceed(target, target.own);
    }
    if (target.own !== undefined || !(await removeStep(context.host, step))) throw this.#io.pause();
    delete at.step;
    throw this.#failure(
      target,
      new JobsError("unfit-host", `the worker of ${step.host} is no longer running`),
    );
  }

  async #checked(target: TargetReport, report: CheckReport): Promise<MigrateResult> {
    if (target.own !== undefined) return await this.#proceed(target, target.own);
    const { at, payload } = this.#io;
    const { stopServers, dryRun, whenQuiet } = payload;
    at.checks = mergeChecks(at.checks, target.checks, report.checks);
    const servers = stopServers && !dryRun && !at.serversStopped ? serversOf(report) : undefined;
    if (servers !== undefined) {
      at.serversStopped = true;
      const host = (await this.#io.hostNamed(servers.host))?.host ?? servers.host;
      return await this.#io.remoteStep("stop-servers", host, { pids: servers.pids });
    }
    const all = { ...report, checks: at.checks };
    const against = refusal(all);
    if (against === undefined) {
      return dryRun ? completed(this.#subject(target), "migrated") : await this.#lockAndClose(target);
    }
    if (whenQuiet && !dryRun && onlyTimeIsLacking(all)) this.#waitUntilQuiet(report, against);
    throw this.#failure(target, against);
  }

  /** @throws RetryLater until the deadline */
  #waitUntilQuiet({ earliestAt = 0 }: CheckReport, against: JobsError): void {
    const { at, job, payload } = this.#io;
    const now = Date.now();
    const deadline = job.timestamp + payload.deadline;
    if (now >= deadline) return;
    this.#io.phase = "wait-quiet";
    if (at.said !== against.message) this.#io.log(`Waiting: ${against.message}.`);
    at.said = against.message;
    const untilEarliest = Math.min(Math.max(earliestAt - now, minRecheckMs), maxRecheckMs);
    throw new RetryLater(Math.min(untilEarliest, Math.max(deadline - now, 1000)));
  }

  async #lockAndClose(target: TargetReport): Promise<never> {
    const old = await this.#io.oldHost(target);
    const lockValue = await this.#io.handOver(await this.#io.lock(target));
    const homes = { toHome: target.toHome, fromHome: target.fromHome };
    return await this.#io.remoteStep("close", old?.host ?? "", { ...this.#io.quiet, lockValue, ...homes });
  }

  async #proceed(target: TargetReport, row: MigrationRow): Promise<MigrateResult> {
    switch (row.state) {
      case "closed":
      case "installed":
      case "intent":
        return await this.#switch(target);
      case "switched":
        if (row.new_ready === 0) return await this.#switch(target);
        // Rows of a lost home are merged when it is back.
        if (row.kind === "migration") return await this.#watch(target, row);
        await this.#io.unlock(target);
        return completed(this.#subject(target), "migrated");
      case "settled":
        return await this.#watch(target, row);
      case "undone":
        await this.#io.unlock(target);
        throw this.#failure(target, undoneError(row));
      default:
        return await this.#waitForOthers(row);
    }
  }

  /** Waits for the old home to act, in `closing` without a step or in `undoing`. */
  async #waitForOthers(row: MigrationRow): Promise<never> {
    this.#io.phase = "undo";
    // Not on every pass: the action may take a while, and the reconciler asks as well.
    const { idle } = this.#io.at;
    if (idle % 8 === 0) {
      // Locks of a step lost in an outage have expired by now.
      const givenUp = row.state === "closing" && idle > 0;
      for (const target of [row.from_host, row.to_host]) await this.#io.requestReconcile(target, givenUp);
    }
    throw this.#io.pause();
  }

  async #switch(target: TargetReport): Promise<MigrateResult> {
    const { at } = this.#io;
    this.#io.phase = "switch";
    const row = await this.#io.underLock(target, async (lock) => {
      try {
        const report = await this.#io.localStep("switch", lock);
        at.checks = mergeChecks(at.checks, report.checks);
        return report.row;
      } catch (thrown) {
        const error = toJobsError(thrown);
        if (error.code !== "rolled-back") throw error;
        this.#io.log(`The migration was undone: ${error.message}.`);
        return undefined;
      }
    });
    return row === undefined ? await this.#decide() : await this.#proceed({ ...target, own: row }, row);
  }

  async #watch(target: TargetReport, row: MigrationRow): Promise<MigrateResult> {
    const { at, context } = this.#io;
    this.#io.phase = "watch";
    const report = await this.#io.underLock(target, async (lock) => {
      const seen = await this.#io.localStep("await-watch", lock);
      if (seen.settled) await lock.release();
      return seen;
    });
    if (report.settled) return completed(this.#subject(target), "migrated", report);
    if (at.watchSince === undefined) await this.#io.requestReconcile(row.from_host);
    at.watchSince ??= Date.now();
    const settleMs = context.host.settleMs ?? defaultSettleMs;
    if (msSince(at.watchSince) < settleMs + watchPatienceMs)
      throw new RetryLater(Math.min(watchCheckMs, settleMs + 250));
    // The new home works; the row waits for the old home's worker.
    const detail =
      "the old home has not been watched for late writes yet; that happens when its worker is back";
    at.checks = mergeChecks(at.checks, [{ name: "settle", ok: null, detail }]);
    await this.#io.unlock(target);
    return completed(this.#subject(target), "migrated");
  }

  #subject(target: TargetReport) {
    const { job, payload, at, context } = this.#io;
    return { job, payload, target, at, host: context.host.settings.host };
  }

  #failure(target: TargetReport, error: JobsError): JobsError {
    return failedAs(this.#subject(target), error);
  }
}
