import type { Job } from "bullmq";
import { toJobsError } from "../../shared/errors.ts";
import { areaIdLockKeys } from "../../shared/queue/area-lock-key.ts";
import { findHost, type HostStatus } from "../../shared/queue/hosts.ts";
import type { MigratePayload } from "../../shared/queue/migrate-payload.ts";
import type { AreaLock } from "../held-lock.ts";
import { runUnderSignals } from "../run-under-signals.ts";
import type { ThreadJobName, ThreadJobs } from "../thread-protocol.ts";
import { type Coordination, readCoordination } from "./coordination.ts";
import type { LookReport } from "./look.ts";
import { askToTend, handOverMs, type StepContext } from "./perform-step.ts";
import { addStep } from "./step-jobs.ts";

/** Thrown where the job waits for something. */
export class Pause {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
}

export type AskedStep = NonNullable<Coordination["step"]>;

/** What a coordinating job has to do with others: other hosts' queues, the lock, threads. No SQLite here. */
export class Dealings {
  /** What it must remember until its next look. */
  readonly at: Coordination;
  /** For whoever follows the job. */
  phase = "look";
  readonly job: Job;
  readonly payload: MigratePayload;
  readonly context: StepContext;

  constructor(job: Job, payload: MigratePayload, context: StepContext) {
    this.job = job;
    this.payload = payload;
    this.context = context;
    this.at = readCoordination(job);
  }

  get jobId(): string {
    return this.job.id ?? "";
  }

  /** What the old home judges the quiet by. */
  get quiet() {
    return { quietFor: this.payload.quietFor, stopped: this.at.stopped };
  }

  say(sentence: string): void {
    this.context.reporter.log(sentence);
  }

  /** The worker of the home that the area has now; undefined where none is known by that name. */
  async oldHost({ fromHome }: LookReport): Promise<HostStatus | undefined> {
    return fromHome === null ? undefined : await this.hostNamed(fromHome);
  }

  async hostNamed(name: string): Promise<HostStatus | undefined> {
    const { redis, settings } = this.context.host;
    return await findHost(redis, settings.prefix, name);
  }

  /** Adds a step to a host's queue and waits for it. */
  async ask(step: AskedStep["name"], target: string, more: object): Promise<never> {
    const { host } = this.context;
    const { area, requestedBy } = this.payload;
    this.phase = step;
    this.at.round += 1;
    const place = { host: target, jobId: `${this.jobId}.${step}.${this.at.round}` };
    const asked = { migration: this.jobId, toHost: host.settings.host };
    await addStep(host, place, { v: 1, area, requestedBy, step, ...asked, ...more } as never);
    this.at.step = { name: step, ...place, since: Date.now() };
    this.at.idle = 0;
    throw this.pause();
  }

  /** Short at first: whoever ends a step may do so before this job is put off, and then cannot wake it. */
  pause(): Pause {
    return new Pause(Math.min(250 * 2 ** this.at.idle++, 2000));
  }

  /** @param givenUp nobody is at work on it any more: its lease need not run out first */
  async tendOn(target: string, givenUp = false): Promise<void> {
    await askToTend(this.context.host, target, this.payload, givenUp ? this.jobId : undefined);
  }

  /** The migration's lock: as it was handed over, or anew where that has run out. */
  async lock(look: LookReport): Promise<AreaLock> {
    const { locks, settings } = this.context.host;
    const keys = areaIdLockKeys(settings.prefix, look.areaId);
    const owner = {
      host: settings.host,
      pid: process.pid,
      jobId: this.jobId,
      since: new Date(this.job.timestamp).toISOString(),
    };
    return await locks.adopt(keys, this.at.lockValue, owner);
  }

  /**
   * Does `body` under the migration's lock, and leaves the lock standing for the next part. Where `body` failed for good
   * there is none, and the lock ends with it.
   */
  async underLock<T>(look: LookReport, body: (lock: AreaLock) => Promise<T>): Promise<T> {
    const lock = await this.lock(look);
    try {
      return await body(lock);
    } catch (error) {
      if (!toJobsError(error).retriable) await lock.release();
      throw error;
    } finally {
      await this.handOver(lock);
    }
  }

  /** Leaves the lock standing for the next part, wherever that is. */
  async handOver(lock: AreaLock): Promise<string> {
    const value = await lock.handOver(handOverMs);
    this.at.lockValue = value;
    return value;
  }

  async unlock(look: LookReport): Promise<void> {
    await (await this.lock(look)).release();
  }

  /** One of the parts that read or write the area, in a thread. */
  part<Name extends "migrate-switch" | "migrate-oversee">(
    name: Name,
    lock: AreaLock,
  ): Promise<ThreadJobs[Name]["result"]> {
    const { isCancelled = false } = this.context;
    const payload = { area: this.payload.area, migration: this.jobId, cancelled: isCancelled };
    return this.#thread(name, payload, lock.signal);
  }

  /** Begins what has no old home to begin it. */
  async beginTakeOver(
    more: { fromHome: string; fromHost: string; toHome: string },
    lock: AreaLock,
  ): Promise<void> {
    const { area, requestedBy } = this.payload;
    await this.#thread(
      "migrate-take-over",
      { area, requestedBy, migration: this.jobId, ...more },
      lock.signal,
    );
  }

  async look(): Promise<LookReport> {
    const report = await this.#thread("migrate-look", this.payload);
    // Here, so that every result names it, also of what is refused before the old home is asked for anything.
    const from = report.atHome ? this.context.host.settings.host : (await this.oldHost(report))?.host;
    if (from !== undefined && report.own === undefined) this.at.fromHost = from;
    return report;
  }

  #thread<Name extends ThreadJobName>(
    name: Name,
    payload: ThreadJobs[Name]["payload"],
    ...signals: AbortSignal[]
  ): Promise<ThreadJobs[Name]["result"]> {
    const { host, signal, reporter } = this.context;
    const data = { name, payload, jobId: this.jobId };
    return runUnderSignals<Name>(data, [signal, host.leaving, ...signals], { reporter, host });
  }
}
