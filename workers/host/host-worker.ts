import { type Job, MetricsTime, type Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import type { HostRecord } from "../../shared/contract/queue-records.ts";
import { JobsError, toJobsError } from "../../shared/errors.ts";
import { type WaitingConnection, waitingConnection } from "../../shared/queue/connections.ts";
import { keepCompleted, keepFailed } from "../../shared/queue/enqueue-options.ts";
import { heartbeatInterval, withdrawHost } from "../../shared/queue/hosts.ts";
import { queueName } from "../../shared/queue/names.ts";
import { tracing } from "../../shared/queue/tracing.ts";
import type { Logger } from "../../shared/settings/log.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { JobThreads } from "../job-thread/job-threads.ts";
import { wakeWaiter } from "../jobs/migration/step-job.ts";
import { endOf, recordOutcome } from "../jobs/record-outcome.ts";
import type { WorkerContext } from "../jobs/worker-context.ts";
import { AreaLocks } from "../locks/area-locks.ts";
import { checkLockServers } from "../locks/check-lock-servers.ts";
import { PolicyScheduler } from "../periodic/policy-scheduler.ts";
import { Reconciler } from "../periodic/reconciler.ts";
import { announce, joinQueue } from "./join-queue.ts";
import { LockRenewals } from "./lock-renewals.ts";
import { processJob } from "./process-job.ts";
import type { Alone } from "./serve-alone.ts";
import { checkStart } from "./startup.ts";
import { failUnreadable } from "./unreadable-jobs.ts";
import { Webhook } from "./webhook.ts";

/** Lifetime of a job's lock without renewal, ms. It is renewed at half of it, from a thread that never blocks. */
const lockDuration = 10_000;
/** Interval between checks for jobs whose worker died, ms. */
const stalledInterval = 3000;
/** A worker's death costs the job no attempt, but a job that kills its worker every time must end. */
const maxStalledCount = 5;
/** How long after `stop()` the current step is abandoned, and then the connections, ms. */
const stepGrace = 4000;
const leaveGrace = 6000;

const stopped = () => new JobsError("stopped", "the worker is stopping");

/** `abandoned`: a step did not end; the caller should end the process without waiting for threads. */
export type LeaveOutcome = "left" | "abandoned";

export interface HostWorkerOptions {
  /** Environment for `#{getenv …}` and `$MT_TESTSUITE_NAME` in an area's config; empty by default. */
  env?: NodeJS.ProcessEnv;
  /** What to do if another worker serves the host; undefined: serve it as well. */
  alone?: Alone;
  /** Called with the queue's worker and the area locks once they exist. */
  watch?: (worker: Worker, locks: AreaLocks) => void;
  /** Code of the job thread; tests supply their own. */
  threadUrl?: URL;
  /** How long this host watches an area after it left, ms; tests cannot wait 75 s. */
  settleMs?: number;
  /** Interval between reconcile rounds, ms. */
  roundMs?: number;
  /** Interval between policy scans, ms. */
  policyScanMs?: number;
}

interface Serving {
  redis: Redis;
  queue: Queue;
  worker: Worker;
  connection: WaitingConnection;
  locks: AreaLocks;
  record: HostRecord;
  heartbeat: NodeJS.Timeout;
  reconciler: Reconciler;
  policyScheduler: PolicyScheduler;
  webhook: Webhook | undefined;
}

/**
 * One host's worker.
 *
 * States: new → (start) serving → (stop) leaving → left. A job is active until it ends as completed, failed, delayed
 * (area held, or to be retried) or waiting (requeued because the worker stops).
 *
 * | failure | effect |
 * | --- | --- |
 * | this process (kill -9, power) | the job's lock expires; another worker of the host, or the next one, starts the job again within some 15 s and continues where it stopped |
 * | the job thread | the job fails as `internal` with what is known |
 * | the job's lock in Redis | the thread stops at its next batch; the new holder continues the job |
 * | the area's lock | the same, and the job is retried with back-off |
 * | Redis, briefly | the job continues; nothing is reported until Redis is back |
 * | Redis, for longer than a lock's life | as a lost lock; the worker waits for Redis forever |
 * | SIGTERM | the batch ends, and the job is requeued with its attempt unspent |
 */
export class HostWorker {
  /** Resolves, with the reason, if another worker has taken over the host. Then this one is to be stopped. */
  readonly displaced: Promise<JobsError>;
  #displace: (reason: JobsError) => void = () => {};
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #options: HostWorkerOptions;
  readonly #leaving = new AbortController();
  readonly #abandon = new AbortController();
  readonly #running = new Map<string, AbortController>();
  readonly #threads: JobThreads;
  readonly #renewals = new LockRenewals(this.#running, lockDuration);
  #logged = { message: "", at: Number.NEGATIVE_INFINITY };
  #serving: Serving | undefined;
  #left: Promise<LeaveOutcome> | undefined;

  constructor(settings: Settings, log: Logger, options: HostWorkerOptions = {}) {
    this.#settings = settings;
    this.#log = log;
    this.#options = options;
    this.#threads = new JobThreads(options.threadUrl);
    this.displaced = new Promise((resolve) => {
      this.#displace = resolve;
    });
  }

  #notAnnounced(error: JobsError): void {
    if (error.code === "conflict") this.#displace(error);
    else this.#log.debug({ err: error }, "could not announce this host");
  }

  /** Resolves when the queue is served. Rejects, with nothing left open, if a check fails or `stop` was called. */
  async start(): Promise<void> {
    const settings = this.#settings;
    checkStart(settings, this.#log);
    await checkLockServers(settings, this.#log);
    const joined = await joinQueue(settings, this.#log, this.#leaving.signal, this.#options.alone);
    const { redis, queue, record, facts } = joined;
    let locks: AreaLocks | undefined;
    try {
      locks = new AreaLocks(settings.lockRedisUrls);
      const host = this.#host({ redis, locks });
      const connection = waitingConnection(settings.redisUrl);
      const worker = this.#openWorker(host, queue, connection);
      const reconciler = new Reconciler(host, this.#options.roundMs);
      host.onArea = (area) => reconciler.note(area);
      const heartbeat = setInterval(() => {
        this.#renewals.check();
        announce(settings, joined).catch((error: unknown) => this.#notAnnounced(toJobsError(error)));
      }, heartbeatInterval);
      const policyScheduler = new PolicyScheduler(
        { settings, log: this.#log, redis },
        queue,
        this.#options.policyScanMs,
      );
      const { webhookUrl } = settings;
      const webhook =
        webhookUrl === undefined ? undefined : new Webhook({ ...settings, webhookUrl }, redis, this.#log);
      this.#serving = {
        redis,
        queue,
        worker,
        connection,
        locks,
        record,
        heartbeat,
        reconciler,
        policyScheduler,
        webhook,
      };
      await worker.waitUntilReady();
      this.#log.info(
        { redis: facts, areas: settings.areas },
        `serving the queue ${queueName(settings.host)}`,
      );
    } catch (error) {
      if (this.#serving === undefined) {
        // An open connection would keep the process alive.
        locks?.close();
        redis.disconnect();
      } else await this.stop();
      throw error;
    }
  }

  #host({ redis, locks }: { redis: Redis; locks: AreaLocks }): WorkerContext {
    return {
      settings: this.#settings,
      log: this.#log,
      redis,
      locks,
      leaving: this.#leaving.signal,
      abandon: this.#abandon.signal,
      running: this.#running,
      threads: this.#threads,
      waits: new Map(),
      env: {},
      ...this.#options,
    };
  }

  #openWorker(host: WorkerContext, queue: Queue, { connection }: WaitingConnection): Worker {
    const worker = new Worker(
      queueName(this.#settings.host),
      (job, token) => {
        this.#renewals.note([job.id ?? ""]);
        return processJob(job, token, host);
      },
      {
        connection,
        prefix: this.#settings.prefix,
        ...tracing(),
        name: `${process.pid}@${this.#settings.host}`,
        // One count for each minute, for as long as completed jobs are kept.
        metrics: { maxDataPoints: MetricsTime.ONE_WEEK },
        concurrency: 1,
        lockDuration,
        stalledInterval,
        maxStalledCount,
        // For jobs that other tools added without retention options.
        removeOnComplete: keepCompleted,
        removeOnFail: keepFailed,
      },
    );
    this.#options.watch?.(worker, host.locks);
    worker.on("error", (error) => {
      this.#tellOnce(error);
      // BullMQ throws these when it cannot read a job.
      if (error instanceof SyntaxError || error instanceof TypeError)
        void failUnreadable(host.redis, queue, this.#log).catch(() => {});
    });
    worker.on("locksRenewed", ({ jobIds }) => this.#renewals.note(jobIds));
    worker.on("lockRenewalFailed", (jobIds) => {
      for (const id of jobIds) this.#renewals.lose(id);
    });
    // Only now has the job ended for those who wait for it.
    worker.on("completed", (job) => this.#ended(host, job));
    worker.on("failed", (job) => job !== undefined && this.#ended(host, job));
    worker.on("stalled", (jobId) => this.#log.warn({ jobId }, "its worker died; the job is started again"));
    return worker;
  }

  /** Logs a repeated error once a minute: without Redis the same one comes every second. */
  #tellOnce(error: Error): void {
    const again = error.message === this.#logged.message && performance.now() - this.#logged.at < 60_000;
    if (!again) this.#logged = { message: error.message, at: performance.now() };
    this.#log[again ? "debug" : "warn"]({ err: error }, "queue");
  }

  /** Takes no more jobs, requeues the current one at its next batch, and leaves. May be called at any time, and twice. */
  stop(): Promise<LeaveOutcome> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  #ended(host: WorkerContext, job: Job): void {
    void wakeWaiter(host, job);
    const end = endOf(job);
    if (end === undefined) return;
    void recordOutcome(host, job, end);
    void this.#serving?.webhook?.note(job, end);
  }

  async #leave(): Promise<LeaveOutcome> {
    const serving = this.#serving;
    if (serving === undefined) {
      this.#leaving.abort(stopped());
      return "left";
    }
    clearInterval(serving.heartbeat);
    const roundsOver = serving.reconciler.stop();
    serving.policyScheduler.stop();
    this.#threads.close();
    // Close first, then abort: otherwise this worker would take the requeued job again.
    const closed = serving.worker.close().then(() => "left" as const);
    this.#leaving.abort(stopped());
    const stepTimer = setTimeout(() => this.#abandon.abort(), stepGrace);
    let patience: NodeJS.Timeout | undefined;
    const tooLong = new Promise<"abandoned">((resolve) => {
      patience = setTimeout(() => resolve("abandoned"), leaveGrace);
    });
    const outcome = await Promise.race([Promise.all([closed, roundsOver]).then(([left]) => left), tooLong]);
    clearTimeout(stepTimer);
    clearTimeout(patience);
    // Best effort, since Redis may be away: the announcement expires.
    await withdrawHost(serving.redis, this.#settings.prefix, serving.record).catch(() => {});
    await serving.webhook?.close();
    await serving.queue.close().catch(() => {});
    serving.locks.close();
    serving.connection.close();
    serving.redis.disconnect();
    return this.#abandon.signal.aborted ? "abandoned" : outcome;
  }
}
