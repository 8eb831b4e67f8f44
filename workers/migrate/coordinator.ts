import type { Job } from "bullmq";
import { JobsError, toJobsError } from "../../shared/errors.ts";
import type { CheckReport, MigrateResult } from "../../shared/migrate-result.ts";
import { areaIdLockKeys } from "../../shared/queue/area-lock-key.ts";
import { listDrained } from "../../shared/queue/drained.ts";
import { findHost, type HostStatus } from "../../shared/queue/hosts.ts";
import type { MigratePayload } from "../../shared/queue/migrate-payload.ts";
import type { AreaLock } from "../area-lock.ts";
import { ownVersion } from "../host-record.ts";
import { runUnderSignals } from "../run-under-signals.ts";
import type { ThreadJobName, ThreadJobs } from "../thread-protocol.ts";
import type { CloseReport } from "./close.ts";
import { type Coordination, mergeChecks, readCoordination } from "./coordination.ts";
import { completed, failedAs } from "./describe-migration.ts";
import type { LookReport } from "./look.ts";
import { askToTend, type HandedOver, handOverMs, type StepContext } from "./perform-step.ts";
import { failed, onlyTimeIsLacking, passed, refusal } from "./refusal.ts";
import { addStep, lookAtStep, removeStep } from "./step-jobs.ts";

/** Thrown where the job waits for something. */
export class Pause {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
}

type StepName = NonNullable<Coordination["step"]>["name"];

/** How long the old home's worker may be silent before a step is looked past, ms. */
const patienceMs = 5_000;
/** While waiting for an area to become quiet, the next check comes between these, ms. */
const quietBetween = [60_000, 600_000] as const;
/** How often the new home looks after the old one's watch, ms; in between Megatest's sync gets through. */
const overseeMs = 15_000;
/** How much longer than it should take the old home's watch is waited for, ms. */
const watchPatienceMs = 60_000;
const defaultSettleMs = 75_000;

/** One look of a coordinating job. What it must remember until the next is in `at`; how far the area is, in its row. */
export class Coordinator {
  readonly at: Coordination;
  phase = "look";
  readonly #job: Job;
  readonly #payload: MigratePayload;
  readonly #context: StepContext;

  constructor(job: Job, payload: MigratePayload, context: StepContext) {
    this.#job = job;
    this.#payload = payload;
    this.#context = context;
    this.at = readCoordination(job);
  }

  get #jobId(): string {
    return this.#job.id ?? "";
  }

  /** @throws Pause, or a JobsError where the migration has failed */
  async go(): Promise<MigrateResult> {
    const { step } = this.at;
    if (step === undefined) return await this.#look();
    this.phase = step.name;
    const seen = await lookAtStep(this.#context.host, step);
    if (seen.state === "unfinished") return await this.#stillWaiting(step);
    delete this.at.step;
    this.at.idle = 0;
    if (seen.state === "gone") return await this.#look();
    if (seen.state === "failed") return await this.#stepFailed(step.name, seen.error);
    if (step.name === "close") {
      const { bytes, checks, lockValue } = seen.report as CloseReport & HandedOver;
      Object.assign(this.at, { bytes, lockValue, checks: mergeChecks(this.at.checks, checks) });
      return await this.#look();
    }
    const look = await this.#thread("migrate-look", this.#payload);
    return step.name === "check"
      ? await this.#checked(look, seen.report as CheckReport)
      : await this.#askCheck(look);
  }

  /** The area, as this host sees it, decides what comes next. */
  async #look(refused?: JobsError): Promise<MigrateResult> {
    const look = await this.#thread("migrate-look", this.#payload);
    if (look.own !== undefined) return await this.#goOn(look);
    if (refused !== undefined) throw this.#failure(look, refused);
    if (look.atHome) return completed(this.#subject(look), "already-home");
    const old = await this.#oldHost(look);
    this.at.checks = mergeChecks(look.checks, this.#fromCheck(look, old), await this.#hostChecks(look, old));
    const against = refusal({ checks: this.at.checks });
    if (against !== undefined) throw this.#failure(look, against);
    return await this.#askCheck(look);
  }

  #fromCheck({ fromHome }: LookReport, old: HostStatus | undefined) {
    const { from } = this.#payload;
    if (from === undefined) return [];
    const isIt = [fromHome, old?.host, old?.address].includes(from);
    return [
      isIt
        ? passed("from", `the homehost is ${from}, as was said`)
        : failed("from", `the homehost is ${fromHome}, not ${from}`),
    ];
  }

  async #hostChecks({ fromHome }: LookReport, old: HostStatus | undefined) {
    const { redis, settings } = this.#context.host;
    if ((await listDrained(redis, settings.prefix)).has(settings.host))
      return [failed("target", `${settings.host} is drained: it takes no area`)];
    if (old?.alive === true) return [];
    return [failed("target", `no worker is running on ${fromHome}, the home it is to move from`)];
  }

  async #oldHost({ fromHome }: LookReport): Promise<HostStatus | undefined> {
    const { redis, settings } = this.#context.host;
    return fromHome === null ? undefined : await findHost(redis, settings.prefix, fromHome);
  }

  async #askCheck(look: LookReport): Promise<never> {
    const old = await this.#oldHost(look);
    const { quietFor } = this.#payload;
    return await this.#ask("check", old?.host ?? "", { quietFor, version: ownVersion() });
  }

  /** Adds a step for another host and waits for it. */
  async #ask(step: StepName, target: string, more: object): Promise<never> {
    const { host } = this.#context;
    const { area, requestedBy } = this.#payload;
    this.phase = step;
    this.at.round += 1;
    const place = { host: target, jobId: `${this.#jobId}.${step}.${this.at.round}` };
    const asked = { migration: this.#jobId, toHost: host.settings.host };
    await addStep(host, place, { v: 1, area, requestedBy, step, ...asked, ...more } as never);
    this.at.step = { name: step, ...place, since: Date.now() };
    this.at.idle = 0;
    throw this.#pause();
  }

  /** Short at first: whoever ends a step may do so before this job is put off, and then cannot wake it. */
  #pause(): Pause {
    return new Pause(Math.min(250 * 2 ** this.at.idle++, 2000));
  }

  async #stillWaiting(step: NonNullable<Coordination["step"]>): Promise<MigrateResult> {
    const { host } = this.#context;
    const old = await findHost(host.redis, host.settings.prefix, step.host);
    if (old?.alive === true || Date.now() - step.since < patienceMs) throw this.#pause();
    const look = await this.#thread("migrate-look", this.#payload);
    // It died when its part was done: that is in the row, and we go on from there.
    if (look.own !== undefined && look.own.state !== "closing") {
      delete this.at.step;
      return await this.#goOn(look);
    }
    if (look.own !== undefined || !(await removeStep(host, step))) throw this.#pause();
    delete this.at.step;
    throw this.#failure(look, new JobsError("unfit-host", `the worker of ${step.host} has gone`));
  }

  async #stepFailed(step: StepName, error: JobsError): Promise<MigrateResult> {
    if (error.code === "lost-lease" || error.code === "rolled-back") this.at.trouble = error.message;
    this.#context.reporter.log(`The step ${step} ended: ${error.message}.`);
    return await this.#look(error);
  }

  async #checked(look: LookReport, report: CheckReport): Promise<MigrateResult> {
    if (look.own !== undefined) return await this.#goOn(look);
    const { stopServers, dryRun, whenQuiet } = this.#payload;
    this.at.checks = mergeChecks(this.at.checks, look.checks, report.checks);
    const servers = stopServers && !dryRun && !this.at.serversStopped ? serversOf(report) : undefined;
    if (servers !== undefined) {
      this.at.serversStopped = true;
      return await this.#ask("stop-servers", servers.host, { pids: servers.pids });
    }
    const all = { ...report, checks: this.at.checks };
    const against = refusal(all);
    if (against === undefined) {
      return dryRun ? completed(this.#subject(look), "migrated") : await this.#lockAndClose(look);
    }
    if (whenQuiet && !dryRun && onlyTimeIsLacking(all)) this.#waitForQuiet(look, report, against);
    throw this.#failure(look, against);
  }

  #waitForQuiet(look: LookReport, { earliestAt = 0 }: CheckReport, against: JobsError): never {
    const now = Date.now();
    const deadline = this.#job.timestamp + this.#payload.deadline;
    if (now >= deadline) throw this.#failure(look, against);
    this.phase = "wait-quiet";
    if (this.at.trouble !== against.message) this.#context.reporter.log(`Waits: ${against.message}.`);
    this.at.trouble = against.message;
    const [least, most] = quietBetween;
    throw new Pause(Math.min(Math.max(earliestAt - now, least), most, Math.max(deadline - now, 1000)));
  }

  async #lockAndClose(look: LookReport): Promise<never> {
    const old = await this.#oldHost(look);
    const lock = await this.#context.host.locks.acquire(this.#lockKeys(look), this.#owner());
    const lockValue = await lock.handOver(handOverMs);
    this.at.lockValue = lockValue;
    const { quietFor } = this.#payload;
    const homes = { toHome: look.toHome, fromHome: look.fromHome };
    return await this.#ask("close", old?.host ?? "", { quietFor, lockValue, ...homes });
  }

  /** The migration has begun: its row tells what comes next. */
  async #goOn(look: LookReport): Promise<MigrateResult> {
    const row = look.own;
    switch (row?.state) {
      case "closed":
      case "installed":
      case "intent":
        this.phase = "switch";
        return await this.#part(look, "migrate-switch");
      case "switched":
        return row.new_ready === 0 ? await this.#part(look, "migrate-switch") : await this.#watch(look);
      case "settled":
        await (await this.#lock(look)).release();
        return completed(this.#subject(look), "migrated");
      case "undone":
        await (await this.#lock(look)).release();
        throw this.#failure(look, undoneError(row.reason));
      default:
        return await this.#waitForOthers(look);
    }
  }

  /** `closing` without its step, or `undoing`: the old home acts, and this one cleans up. */
  async #waitForOthers(look: LookReport): Promise<never> {
    const { host } = this.#context;
    this.phase = "undo";
    // Not each time: what they are asked for may take a while, and the rounds ask as well.
    if (this.at.idle % 8 === 0 && look.own !== undefined) {
      for (const target of [look.own.from_host, look.own.to_host])
        await askToTend(host, target, this.#payload);
    }
    throw this.#pause();
  }

  async #part(look: LookReport, name: "migrate-switch"): Promise<MigrateResult> {
    const lock = await this.#lock(look);
    try {
      const { checks } = await this.#thread(name, this.#partPayload(), lock.signal);
      this.at.checks = mergeChecks(this.at.checks, checks);
    } catch (thrown) {
      const error = toJobsError(thrown);
      if (error.code !== "rolled-back") throw error;
      this.#context.reporter.log(`It is undone: ${error.message}.`);
    } finally {
      this.at.lockValue = await lock.handOver(handOverMs);
    }
    return await this.#look();
  }

  async #watch(look: LookReport): Promise<MigrateResult> {
    const { host } = this.#context;
    this.phase = "watch";
    const lock = await this.#lock(look);
    const { settled, strays } = await this.#thread("migrate-oversee", this.#partPayload(), lock.signal);
    if (settled) {
      await lock.release();
      return completed(this.#subject(look), "migrated", strays);
    }
    this.at.lockValue = await lock.handOver(handOverMs);
    if (this.at.watchSince === undefined) {
      this.at.watchSince = Date.now();
      if (look.own !== undefined) await askToTend(host, look.own.from_host, this.#payload);
    }
    const longest = (host.settleMs ?? defaultSettleMs) + watchPatienceMs;
    if (Date.now() - this.at.watchSince < longest) throw new Pause(overseeMs);
    this.at.checks = mergeChecks(this.at.checks, [
      {
        name: "settle",
        ok: null,
        detail: "the old home has not watched yet; it does when its worker is back",
      },
    ]);
    await (await this.#lock(look)).release();
    return completed(this.#subject(look), "migrated");
  }

  async #lock(look: LookReport): Promise<AreaLock> {
    const { locks } = this.#context.host;
    const keys = this.#lockKeys(look);
    const { lockValue } = this.at;
    return lockValue === undefined
      ? await locks.acquire(keys, this.#owner())
      : await locks.adopt(keys, lockValue, this.#owner());
  }

  #lockKeys({ areaId }: LookReport): string[] {
    return areaIdLockKeys(this.#context.host.settings.prefix, areaId);
  }

  #owner() {
    const { host } = this.#context.host.settings;
    return { host, pid: process.pid, jobId: this.#jobId, since: new Date(this.#job.timestamp).toISOString() };
  }

  #partPayload() {
    return { area: this.#payload.area, migration: this.#jobId };
  }

  #thread<Name extends ThreadJobName>(
    name: Name,
    payload: ThreadJobs[Name]["payload"],
    ...signals: AbortSignal[]
  ): Promise<ThreadJobs[Name]["result"]> {
    const { host, signal, reporter } = this.#context;
    const data = { name, payload, jobId: this.#jobId };
    return runUnderSignals<Name>(data, [signal, host.leaving, ...signals], { reporter, host });
  }

  #subject(look: LookReport) {
    const { host } = this.#context.host.settings;
    return { job: this.#job, payload: this.#payload, look, at: this.at, host };
  }

  #failure(look: LookReport, error: JobsError): JobsError {
    return failedAs(this.#subject(look), error);
  }
}

function undoneError(reason: string | null): JobsError {
  return new JobsError("rolled-back", `the migration was undone: ${reason ?? "nobody went on with it"}`, {
    hint: "nothing was moved and the old home is as before; ask again once the cause is gone",
  });
}

/** The live servers of one host, of those that a check names. */
function serversOf({ checks }: CheckReport): { host: string; pids: number[] } | undefined {
  const { ok, facts } = checks.find(({ name }) => name === "servers") ?? {};
  const servers = (facts?.servers ?? []) as { host: string; pid: number }[];
  const [first] = servers;
  if (ok !== false || first === undefined) return undefined;
  const pids = servers.filter(({ host }) => host === first.host).map(({ pid }) => pid);
  return { host: first.host, pids };
}
