import { defaultSettleMs } from "../../../shared/contract/defaults.ts";
import type { CheckReport, MigrateResult } from "../../../shared/contract/migrate-result.ts";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import { JobsError, toJobsError } from "../../../shared/errors.ts";
import type { HostStatus } from "../../../shared/queue/hosts.ts";
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
import { type AskedStep, type CoordinatorIO, RetryLater } from "./coordinator-io.ts";
import { mergeChecks } from "./coordinator-state.ts";
import { hostChecks, lostHomeChecks, serversOf, stoppedBy, unconfirmed } from "./host-checks.ts";
import { completed, failedAs } from "./migrate-result.ts";
import type { HandedOver } from "./run-step.ts";
import { cancelStep, readStep, removeStep } from "./step-queue.ts";

/** How long the old home's worker may be silent before its step is given up, ms. */
const patienceMs = 5_000;
/** Interval for checking the old home's watch, ms; Megatest's sync runs in between. */
const overseeMs = 15_000;
/** How much longer than expected to wait for the watch, ms. */
const watchPatienceMs = 60_000;

/**
 * Runs one pass of a coordinating job, as far as the area's row and the current step allow.
 *
 * @throws Pause while waiting; JobsError if the migration failed
 */
export async function checkOnce(io: CoordinatorIO): Promise<MigrateResult> {
  return await new Coordinator(io).go();
}

class Coordinator {
  readonly #with: CoordinatorIO;

  constructor(io: CoordinatorIO) {
    this.#with = io;
  }

  async go(): Promise<MigrateResult> {
    const { at } = this.#with;
    const { step } = at;
    if (this.#with.context.isCancelled === true) return await this.#cancel(step);
    if (step === undefined) return await this.#look();
    this.#with.phase = step.name;
    const seen = await readStep(this.#with.context.host, step);
    if (seen.state === "unfinished") return await this.#stillWaiting(step);
    delete at.step;
    at.idle = 0;
    if (seen.state === "gone") return await this.#look();
    if (seen.state === "failed") {
      this.#with.say(`Step ${step.name} failed: ${seen.error.message}.`);
      return await this.#look(seen.error);
    }
    if (step.name === "close") {
      const { bytes, checks, lockValue } = seen.report as CloseReport & HandedOver;
      Object.assign(at, { bytes, lockValue, checks: mergeChecks(at.checks, checks) });
      return await this.#look();
    }
    const look = await this.#with.look();
    if (step.name === "check") return await this.#checked(look, seen.report as CheckReport);
    at.stopped = stoppedBy(seen.report as CheckReport, step.host);
    return await this.#askCheck(look);
  }

  /** Cancels the current step and undoes the migration, unless it has switched. */
  async #cancel(step: AskedStep | undefined): Promise<MigrateResult> {
    const { at, context } = this.#with;
    if (step !== undefined && (await readStep(context.host, step)).state === "unfinished") {
      await cancelStep(context.host, step);
      throw this.#with.pause();
    }
    delete at.step;
    const look = await this.#with.look();
    if (look.own !== undefined && look.own.state !== "undone") return await this.#goOn(look, look.own);
    if (at.lockValue !== undefined) await this.#with.unlock(look);
    throw this.#failure(look, cancelledError());
  }

  /** Chooses the next action from the area's state. */
  async #look(refused?: JobsError): Promise<MigrateResult> {
    const look = await this.#with.look();
    if (look.own !== undefined) return await this.#goOn(look, look.own);
    // `not-home`: the host asked is no longer the home; report all failed checks.
    if (refused !== undefined && refused.code !== "not-home") throw this.#failure(look, refused);
    if (look.atHome) return completed(this.#subject(look), "already-home");
    const old = await this.#with.oldHost(look);
    const { takeover } = this.#with.payload;
    const onHosts = await hostChecks(this.#with, look, old);
    const moved = refused === undefined ? [] : [failed("from", refused.message)];
    const lost = takeover ? lostHomeChecks(look, old) : [];
    this.#with.at.checks = mergeChecks(look.checks, onHosts, lost, moved);
    const against = refusal(this.#with.at);
    if (against !== undefined) throw this.#failure(look, against);
    return takeover ? await this.#takeOver(look, old) : await this.#askCheck(look);
  }

  async #takeOver(look: TargetReport, old: HostStatus | undefined): Promise<MigrateResult> {
    const { at, payload } = this.#with;
    if (!payload.dryRun && !payload.confirmed) throw this.#failure(look, unconfirmed(look.fromHome));
    at.syncedAt = look.syncedAt;
    if (payload.dryRun) return completed(this.#subject(look), "migrated");
    this.#with.phase = "take-over";
    const fromHome = look.fromHome ?? "";
    const homes = { fromHome, fromHost: old?.host ?? fromHome, toHome: look.toHome };
    await this.#with.underLock(look, (lock) => this.#with.beginTakeOver(homes, lock));
    return await this.#look();
  }

  async #askCheck(look: TargetReport): Promise<never> {
    const old = await this.#with.oldHost(look);
    const asked = { ...this.#with.quiet, version: ownVersion() };
    return await this.#with.ask("check", old?.host ?? "", asked);
  }

  async #stillWaiting(step: AskedStep): Promise<MigrateResult> {
    const { at, context } = this.#with;
    const old = await this.#with.hostNamed(step.host);
    if (old?.alive === true || msSince(step.since) < patienceMs) throw this.#with.pause();
    const look = await this.#with.look();
    // Its worker died after finishing; the row records that.
    if (look.own !== undefined && look.own.state !== "closing") {
      delete at.step;
      return await this.#goOn(look, look.own);
    }
    if (look.own !== undefined || !(await removeStep(context.host, step))) throw this.#with.pause();
    delete at.step;
    throw this.#failure(look, new JobsError("unfit-host", `the worker of ${step.host} is no longer running`));
  }

  async #checked(look: TargetReport, report: CheckReport): Promise<MigrateResult> {
    if (look.own !== undefined) return await this.#goOn(look, look.own);
    const { at, payload } = this.#with;
    const { stopServers, dryRun, whenQuiet } = payload;
    at.checks = mergeChecks(at.checks, look.checks, report.checks);
    const servers = stopServers && !dryRun && !at.serversStopped ? serversOf(report) : undefined;
    if (servers !== undefined) {
      at.serversStopped = true;
      const host = (await this.#with.hostNamed(servers.host))?.host ?? servers.host;
      return await this.#with.ask("stop-servers", host, { pids: servers.pids });
    }
    const all = { ...report, checks: at.checks };
    const against = refusal(all);
    if (against === undefined) {
      return dryRun ? completed(this.#subject(look), "migrated") : await this.#lockAndClose(look);
    }
    const waits = whenQuiet && !dryRun && onlyTimeIsLacking(all);
    throw (waits && untilQuiet(this.#with, report, against)) || this.#failure(look, against);
  }

  async #lockAndClose(look: TargetReport): Promise<never> {
    const old = await this.#with.oldHost(look);
    const lockValue = await this.#with.handOver(await this.#with.lock(look));
    const homes = { toHome: look.toHome, fromHome: look.fromHome };
    return await this.#with.ask("close", old?.host ?? "", { ...this.#with.quiet, lockValue, ...homes });
  }

  async #goOn(look: TargetReport, row: MigrationRow): Promise<MigrateResult> {
    switch (row.state) {
      case "closed":
      case "installed":
      case "intent":
        return await this.#switch(look);
      case "switched":
        if (row.new_ready === 0) return await this.#switch(look);
        // Rows of a lost home are merged when it is back.
        if (row.kind === "migration") return await this.#watch(look, row);
        await this.#with.unlock(look);
        return completed(this.#subject(look), "migrated");
      case "settled":
        return await this.#watch(look, row);
      case "undone":
        await this.#with.unlock(look);
        throw this.#failure(look, undoneError(row));
      default:
        return await this.#waitForOthers(row);
    }
  }

  /** Waits for the old home to act, in `closing` without a step or in `undoing`. */
  async #waitForOthers(row: MigrationRow): Promise<never> {
    this.#with.phase = "undo";
    // Not on every pass: the action may take a while, and the reconciler asks as well.
    const { idle } = this.#with.at;
    if (idle % 8 === 0) {
      // Locks of a step lost in an outage have expired by now.
      const givenUp = row.state === "closing" && idle > 0;
      for (const target of [row.from_host, row.to_host]) await this.#with.tendOn(target, givenUp);
    }
    throw this.#with.pause();
  }

  async #switch(look: TargetReport): Promise<MigrateResult> {
    const { at } = this.#with;
    this.#with.phase = "switch";
    const row = await this.#with.underLock(look, async (lock) => {
      try {
        const report = await this.#with.part("migrate-switch", lock);
        at.checks = mergeChecks(at.checks, report.checks);
        return report.row;
      } catch (thrown) {
        const error = toJobsError(thrown);
        if (error.code !== "rolled-back") throw error;
        this.#with.say(`The migration was undone: ${error.message}.`);
        return undefined;
      }
    });
    return row === undefined ? await this.#look() : await this.#goOn({ ...look, own: row }, row);
  }

  async #watch(look: TargetReport, row: MigrationRow): Promise<MigrateResult> {
    const { at, context } = this.#with;
    this.#with.phase = "watch";
    const report = await this.#with.underLock(look, async (lock) => {
      const seen = await this.#with.part("migrate-oversee", lock);
      if (seen.settled) await lock.release();
      return seen;
    });
    if (report.settled) return completed(this.#subject(look), "migrated", report);
    if (at.watchSince === undefined) await this.#with.tendOn(row.from_host);
    at.watchSince ??= Date.now();
    const settleMs = context.host.settleMs ?? defaultSettleMs;
    if (msSince(at.watchSince) < settleMs + watchPatienceMs)
      throw new RetryLater(Math.min(overseeMs, settleMs + 250));
    // The new home works; the row waits for the old home's worker.
    const detail =
      "the old home has not been watched for late writes yet; that happens when its worker is back";
    at.checks = mergeChecks(at.checks, [{ name: "settle", ok: null, detail }]);
    await this.#with.unlock(look);
    return completed(this.#subject(look), "migrated");
  }

  #subject(look: TargetReport) {
    const { job, payload, at, context } = this.#with;
    return { job, payload, look, at, host: context.host.settings.host };
  }

  #failure(look: TargetReport, error: JobsError): JobsError {
    return failedAs(this.#subject(look), error);
  }
}

/** Minimum and maximum time between checks, ms. */
const between = [60_000, 600_000] as const;

/** Returns the pause until the next check; undefined after the deadline. */
function untilQuiet(
  io: CoordinatorIO,
  { earliestAt = 0 }: CheckReport,
  against: JobsError,
): RetryLater | undefined {
  const { at, job, payload } = io;
  const now = Date.now();
  const deadline = job.timestamp + payload.deadline;
  if (now >= deadline) return undefined;
  io.phase = "wait-quiet";
  if (at.said !== against.message) io.say(`Waiting: ${against.message}.`);
  at.said = against.message;
  const [least, most] = between;
  return new RetryLater(Math.min(Math.max(earliestAt - now, least), most, Math.max(deadline - now, 1000)));
}
