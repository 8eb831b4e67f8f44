import type { Job } from "bullmq";
import type { MigratePayload } from "../../../shared/contract/migrate-payload.ts";
import type { HostStatus } from "../../../shared/contract/queue-records.ts";
import { toJobsError } from "../../../shared/errors.ts";
import { findHost } from "../../../shared/queue/hosts.ts";
import type { ThreadJobName, ThreadJobs } from "../../job-thread/protocol.ts";
import type { AreaLock } from "../../locks/held-lock.ts";
import { areaIdLockKeys } from "../../locks/lock-keys.ts";
import type { TargetReport } from "../../migrate/steps/check-target.ts";
import { runInThread } from "../run-in-thread.ts";
import { type CoordinatorState, readCoordinatorState } from "./coordinator-state.ts";
import { handOverMs, type MigrationJobContext, requestReconcile } from "./step-job.ts";
import { addStep } from "./step-queue.ts";

/** Thrown when the job must wait: it is delayed by `ms` and then runs its next pass. */
export class RetryLater extends Error {
  readonly ms: number;
  constructor(ms: number) {
    super(`the migration waits ${ms} ms`);
    this.ms = ms;
  }
}

export type RemoteStep = NonNullable<CoordinatorState["step"]>;

/** I/O of a coordinating job: other hosts' queues, the lock, job threads. No SQLite here. */
export class CoordinatorIO {
  readonly at: CoordinatorState;
  phase = "look";
  readonly job: Job;
  readonly payload: MigratePayload;
  readonly context: MigrationJobContext;

  constructor(job: Job, payload: MigratePayload, context: MigrationJobContext) {
    this.job = job;
    this.payload = payload;
    this.context = context;
    this.at = readCoordinatorState(job);
  }

  get jobId(): string {
    return this.job.id ?? "";
  }

  /** Returns the old home's criteria for a quiet area. */
  get quiet() {
    return { quietFor: this.payload.quietFor, stopped: this.at.stopped };
  }

  log(sentence: string): void {
    this.context.reporter.log(sentence);
  }

  /** Returns the current home's worker, if known. */
  async oldHost({ fromHome }: TargetReport): Promise<HostStatus | undefined> {
    return fromHome === null ? undefined : await this.hostNamed(fromHome);
  }

  async hostNamed(name: string): Promise<HostStatus | undefined> {
    const { redis, settings } = this.context.host;
    return await findHost(redis, settings.prefix, name);
  }

  /** Queues a step in the queue of another host and waits for it. */
  async remoteStep(step: RemoteStep["name"], target: string, more: object): Promise<never> {
    const { host } = this.context;
    const { area, requestedBy } = this.payload;
    this.phase = step;
    this.at.round += 1;
    const place = { host: target, jobId: `${this.jobId}.${step}.${this.at.round}` };
    const waiter = { migration: this.jobId, toHost: host.settings.host };
    await addStep(host, place, { v: 1, area, requestedBy, step, ...waiter, ...more } as never);
    this.at.step = { name: step, ...place, since: Date.now() };
    this.at.idle = 0;
    throw this.pause();
  }

  /** Builds a growing pause. Short at first: a step that ends before this job is delayed cannot wake it. */
  pause(): RetryLater {
    return new RetryLater(Math.min(250 * 2 ** this.at.idle++, 2000));
  }

  /**
   * Asks a host to reconcile the migration.
   *
   * @param givenUp the migration is abandoned: do not wait for its lease to expire
   */
  async requestReconcile(target: string, givenUp = false): Promise<void> {
    await requestReconcile(this.context.host, target, this.payload, givenUp ? this.jobId : undefined);
  }

  /** Takes the migration's lock: adopts the one handed over, or locks again. */
  async lock(target: TargetReport): Promise<AreaLock> {
    const { locks, settings } = this.context.host;
    const keys = areaIdLockKeys(settings.prefix, target.areaId);
    const owner = {
      host: settings.host,
      pid: process.pid,
      jobId: this.jobId,
      since: new Date(this.job.timestamp).toISOString(),
    };
    return await locks.adopt(keys, this.at.lockValue, owner);
  }

  /** Runs `body` under the migration's lock, then hands the lock over. Releases it after a permanent failure. */
  async underLock<T>(target: TargetReport, body: (lock: AreaLock) => Promise<T>): Promise<T> {
    const lock = await this.lock(target);
    try {
      return await body(lock);
    } catch (error) {
      if (!toJobsError(error).retriable) await lock.release();
      throw error;
    } finally {
      await this.handOver(lock);
    }
  }

  /** Leaves the lock to the next step, on any host. */
  async handOver(lock: AreaLock): Promise<string> {
    const value = await lock.handOver(handOverMs);
    this.at.lockValue = value;
    return value;
  }

  async unlock(target: TargetReport): Promise<void> {
    await (await this.lock(target)).release();
  }

  /** Runs a step of the new home in a thread of this worker. */
  localStep<Name extends "switch" | "await-watch">(
    name: Name,
    lock: AreaLock,
  ): Promise<ThreadJobs[Name]["result"]> {
    const { isCancelled = false } = this.context;
    const payload = { area: this.payload.area, migration: this.jobId, cancelled: isCancelled };
    return this.#thread(name, payload, lock.signal);
  }

  async beginTakeOver(
    more: { fromHome: string; fromHost: string; toHome: string },
    lock: AreaLock,
  ): Promise<void> {
    const { area, requestedBy } = this.payload;
    await this.#thread("take-over", { area, requestedBy, migration: this.jobId, ...more }, lock.signal);
  }

  async checkTarget(): Promise<TargetReport> {
    const report = await this.#thread("check-target", this.payload);
    // Set here so that every result names it, also an early refusal.
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
    return runInThread<Name>(data, [signal, host.leaving, ...signals], { reporter, host });
  }
}
