import { type Job, type Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { JobsError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { type PatientConnection, patientConnection } from "../shared/queue/connections.ts";
import { keepCompleted, keepFailed } from "../shared/queue/enqueue-options.ts";
import { type HostRecord, heartbeatInterval, withdrawHost } from "../shared/queue/hosts.ts";
import { queueName } from "../shared/queue/names.ts";
import { tracing } from "../shared/queue/tracing.ts";
import type { Settings } from "../shared/settings.ts";
import { AreaLocks } from "./area-lock.ts";
import { Automatic } from "./automatic.ts";
import { checkLockServers } from "./check-lock-servers.ts";
import type { JobHost } from "./job-host.ts";
import { JobRenewals } from "./job-renewals.ts";
import { JobThreads } from "./job-threads.ts";
import { announce, joinQueue } from "./join-queue.ts";
import { wakeWaiter } from "./migrate/perform-step.ts";
import { endOf, noteEnd } from "./note-end.ts";
import { processJob } from "./process-job.ts";
import { Rounds } from "./rounds.ts";
import { checkStart } from "./start-checks.ts";
import { mendUnreadable } from "./unreadable-jobs.ts";

/**
 * One host's worker.
 *
 * States: new → (start) serving → (stop) leaving → left. A job it takes is active until it ends in one of:
 * completed, failed, delayed (area held elsewhere, or to be tried again), waiting (put back: we leave).
 *
 * | what dies or is lost | what happens |
 * | --- | --- |
 * | this process (kill -9, power) | the job's lock runs out; another worker of the host, or the next one, takes the job again within some 15 s and goes on where it stopped |
 * | the jobs' thread | the job fails as `internal` with what is known |
 * | the job's lock in Redis | the thread stops at its next batch; whoever has the job now goes on |
 * | the area's lock | the same, and the job is tried again with back-off |
 * | Redis, briefly | the job goes on; nothing is reported meanwhile |
 * | Redis, for longer than a lock lives | as a lost lock; the worker waits for Redis for ever |
 * | we are told to leave (SIGTERM) | the batch ends, the job is put back with its attempt unspent |
 */

/** Milliseconds a job's lock stands without renewal. Renewals come at half of it, from a thread that never blocks. */
const lockDuration = 10_000;
/** Milliseconds between looks for jobs whose worker died. */
const stalledInterval = 3000;
/** Dying under a job costs it nothing, but a job that kills its worker every time must end. */
const maxStalledCount = 5;
/** Milliseconds a step in hand may take after `stop()` before it is given up; then until the connections are. */
const stepGrace = 4000;
const leaveGrace = 6000;

const stopped = () => new JobsError("stopped", "the worker is leaving");

/** `abandoned`: a step would not end; the caller should end the process without waiting for threads. */
export type LeaveOutcome = "left" | "abandoned";

export interface HostWorkerOptions {
  /** The process's environment: `#{getenv …}` and `$MT_TESTSUITE_NAME` of an area come from it; nothing by default. */
  env?: NodeJS.ProcessEnv;
  /** Given the queue's worker and the areas' locks once they are there. */
  watch?: (worker: Worker, locks: AreaLocks) => void;
  /** Where the jobs' thread is; tests put their own there. */
  threadUrl?: URL;
  /** How long this host watches after an area left it, ms; tests cannot wait 75 s. */
  settleMs?: number;
  /** How often it looks for migrations that nobody goes on with, ms. */
  roundMs?: number;
  /** How often the areas' configs are looked at for `[reduce-records]`, ms. */
  lookMs?: number;
}

interface Serving {
  redis: Redis;
  queue: Queue;
  worker: Worker;
  patient: PatientConnection;
  locks: AreaLocks;
  record: HostRecord;
  heartbeat: NodeJS.Timeout;
  rounds: Rounds;
  automatic: Automatic;
}

export class HostWorker {
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #options: HostWorkerOptions;
  readonly #leaving = new AbortController();
  readonly #abandon = new AbortController();
  readonly #running = new Map<string, AbortController>();
  readonly #threads: JobThreads;
  readonly #renewals = new JobRenewals(this.#running, lockDuration);
  #told = { message: "", at: Number.NEGATIVE_INFINITY };
  #serving: Serving | undefined;
  #left: Promise<LeaveOutcome> | undefined;

  constructor(settings: Settings, log: Logger, options: HostWorkerOptions = {}) {
    this.#settings = settings;
    this.#log = log;
    this.#options = options;
    this.#threads = new JobThreads(options.threadUrl);
  }

  /** Resolves when the queue is served. Rejects, with nothing left open, if a check fails or `stop` was called before. */
  async start(): Promise<void> {
    const settings = this.#settings;
    checkStart(settings, this.#log);
    await checkLockServers(settings, this.#log);
    const joined = await joinQueue(settings, this.#log, this.#leaving.signal);
    const { redis, queue, record, facts } = joined;
    let locks: AreaLocks | undefined;
    try {
      locks = new AreaLocks(settings.lockRedisUrls);
      const host = this.#host({ redis, locks });
      const patient = patientConnection(settings.redisUrl);
      const worker = this.#openWorker(host, queue, patient);
      const rounds = new Rounds(host, this.#options.roundMs);
      host.onArea = (area) => rounds.note(area);
      const heartbeat = setInterval(() => {
        this.#renewals.check();
        announce(settings, joined).catch((error: unknown) =>
          this.#log.debug({ err: error }, "could not announce this host"),
        );
      }, heartbeatInterval);
      const automatic = new Automatic({ settings, log: this.#log, redis }, queue, this.#options.lookMs);
      this.#serving = { redis, queue, worker, patient, locks, record, heartbeat, rounds, automatic };
      await worker.waitUntilReady();
      this.#log.info(
        { redis: facts, areas: settings.areas },
        `serving the queue ${queueName(settings.host)}`,
      );
    } catch (error) {
      if (this.#serving === undefined) {
        // What is left open would keep the process alive.
        locks?.close();
        redis.disconnect();
      } else await this.stop();
      throw error;
    }
  }

  #host({ redis, locks }: { redis: Redis; locks: AreaLocks }): JobHost {
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

  #openWorker(host: JobHost, queue: Queue, { connection }: PatientConnection): Worker {
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
        concurrency: 1,
        lockDuration,
        stalledInterval,
        maxStalledCount,
        // For jobs that other tools added without saying how long to keep them.
        removeOnComplete: keepCompleted,
        removeOnFail: keepFailed,
      },
    );
    this.#options.watch?.(worker, host.locks);
    worker.on("error", (error) => {
      this.#tellOnce(error);
      // What it throws where it reads a job that is none.
      if (error instanceof SyntaxError || error instanceof TypeError)
        void mendUnreadable(host.redis, queue, this.#log).catch(() => {});
    });
    worker.on("locksRenewed", ({ jobIds }) => this.#renewals.note(jobIds));
    worker.on("lockRenewalFailed", (jobIds) => {
      for (const id of jobIds) this.#renewals.lose(id);
    });
    // Only now has its job ended, for whoever waits for it.
    worker.on("completed", (job) => this.#ended(host, job));
    worker.on("failed", (job) => job !== undefined && this.#ended(host, job));
    worker.on("stalled", (jobId) => this.#log.warn({ jobId }, "its worker died: the job is taken up again"));
    return worker;
  }

  /** While Redis is away the same error comes every second: one line for each kind of it a minute is enough. */
  #tellOnce(error: Error): void {
    const again = error.message === this.#told.message && performance.now() - this.#told.at < 60_000;
    if (!again) this.#told = { message: error.message, at: performance.now() };
    this.#log[again ? "debug" : "warn"]({ err: error }, "queue");
  }

  /** Takes no more jobs, puts the one in hand back at its next batch, and leaves. Safe to call at any time, and twice. */
  stop(): Promise<LeaveOutcome> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  #ended(host: JobHost, job: Job): void {
    void wakeWaiter(host, job);
    const end = endOf(job);
    if (end !== undefined) void noteEnd(host, job, end);
  }

  async #leave(): Promise<LeaveOutcome> {
    const serving = this.#serving;
    if (serving === undefined) {
      this.#leaving.abort(stopped());
      return "left";
    }
    clearInterval(serving.heartbeat);
    const roundsOver = serving.rounds.stop();
    serving.automatic.stop();
    this.#threads.close();
    // First close, then abort: else the job put back would be taken again by ourselves.
    const closed = serving.worker.close().then(() => "left" as const);
    this.#leaving.abort(stopped());
    const step = setTimeout(() => this.#abandon.abort(), stepGrace);
    let patience: NodeJS.Timeout | undefined;
    const tooLong = new Promise<"abandoned">((resolve) => {
      patience = setTimeout(() => resolve("abandoned"), leaveGrace);
    });
    const outcome = await Promise.race([Promise.all([closed, roundsOver]).then(([left]) => left), tooLong]);
    clearTimeout(step);
    clearTimeout(patience);
    // Best effort while Redis may be away: the announcement runs out by itself.
    await withdrawHost(serving.redis, this.#settings.prefix, serving.record).catch(() => {});
    await serving.queue.close().catch(() => {});
    serving.locks.close();
    serving.patient.close();
    serving.redis.disconnect();
    return this.#abandon.signal.aborted ? "abandoned" : outcome;
  }
}
