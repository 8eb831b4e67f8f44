import { setTimeout as sleep } from "node:timers/promises";
import type { Job } from "bullmq";
import { decodeFailure } from "../../shared/contract/failure.ts";
import type { Progress } from "../../shared/contract/move-result.ts";
import { JobsError } from "../../shared/errors.ts";
import { cancelledInQueue, hasBegun, isCancelRequested } from "../../shared/queue/cancel.ts";
import { readDeferral } from "../../shared/queue/deferrals.ts";
import { listHosts } from "../../shared/queue/hosts.ts";
import type { JobLocation } from "../../shared/queue/names.ts";
import { toQueueError } from "../../shared/queue/redis-errors.ts";
import { isOutage } from "../../shared/queue/reply-error.ts";
import type { JobResult } from "../contract/job.ts";
import type { QueueState } from "../contract/job-states.ts";
import { forwardedTo, progressOf } from "./job-view.ts";
import type { Session } from "./session.ts";

/** How a followed job ended, and where: in the homehost's queue if it was forwarded. */
export type Ending<Result extends JobResult = JobResult> = JobLocation &
  ({ result: Result; error?: never } | { result?: never; error: JobsError });

export interface FollowOptions {
  /** Aborted: following ends with `interrupted`; the job continues. */
  signal?: AbortSignal | undefined;
  /** Milliseconds until following ends with `timeout`; the job continues. Undefined: no limit. */
  timeoutMs?: number | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Receives each line of the job's log: those there are, and then each new one. */
  onLog?: ((sentence: string) => void) | undefined;
  /** Receives one sentence about what the job waits for or where it was forwarded. */
  onNote?: ((sentence: string) => void) | undefined;
}

/** The poll interval in milliseconds grows from the first to the second while nothing changes. */
const pollBetween = [20, 250] as const;
/** Without a worker on the host for this long, in ms, following gives up: at the start, and later. */
const noWorkerAtStart = 1500;
const noWorkerLater = 10_000;
/** How long to wait for an unreachable Redis, in ms: a restart or a failover takes seconds. */
const outage = 30_000;

/**
 * Follows a job until it ends, across forwarding. It polls because events are lost around an outage, and a poll is
 * cheap.
 *
 * @throws {JobsError} `timeout`, `interrupted`, `no-worker`, `redis-unreachable`, or `unknown-job` if the job was
 *   removed; the job's own failure is returned, not thrown
 */
export async function followJob<Result extends JobResult = JobResult>(
  session: Session,
  place: JobLocation,
  options: FollowOptions = {},
): Promise<Ending<Result>> {
  const follower = new Follower(session, place, options);
  for (;;) {
    const ending = await follower.poll();
    if (ending !== undefined) return ending as Ending<Result>;
    await follower.pause();
  }
}

class Follower {
  private readonly session: Session;
  private readonly options: FollowOptions;
  private readonly deadline: number;
  private place: JobLocation;
  private pollMs: number = pollBetween[0];
  private seen = "";
  private notedReason = "";
  /** Lines of the current queue's log that were passed on. */
  private logged = 0;
  private servedAt: number | undefined;
  /** Whether a worker took the job before it was last seen; true while it has not been seen. */
  private begun = true;
  /** When the job was first seen in its current queue. */
  private placedAt = performance.now();
  private unreachableSince: number | undefined;
  private wasAway = false;

  constructor(session: Session, place: JobLocation, options: FollowOptions) {
    this.session = session;
    this.place = place;
    this.options = options;
    this.deadline = this.placedAt + (options.timeoutMs ?? Number.POSITIVE_INFINITY);
  }

  /** Polls the job once. Returns how it ended, or undefined while it is unfinished. */
  async poll(): Promise<Ending | undefined> {
    this.checkInterrupt();
    try {
      const ending = await this.readJob();
      this.unreachableSince = undefined;
      return ending;
    } catch (thrown) {
      const error = await toQueueError(thrown, this.session.redis, this.session.settings.redisUrl);
      if (!isOutage(error)) throw error;
      if (this.unreachableSince === undefined) {
        this.unreachableSince = performance.now();
        this.wasAway = true;
        this.options.onNote?.(`${error.message}; waiting until it is reachable again`);
      }
      if (performance.now() - this.unreachableSince > outage) throw error;
      return undefined;
    }
  }

  /** Waits until the next poll. @throws {JobsError} `timeout` or `interrupted` */
  async pause(): Promise<void> {
    const left = this.deadline - performance.now();
    if (left <= 0) {
      throw this.stillRunning(
        "timeout",
        `job ${this.place.jobId} did not finish within the timeout; it continues`,
      );
    }
    await sleep(Math.min(this.pollMs, left), undefined, { signal: this.options.signal }).catch(() => {});
    this.pollMs = Math.min(this.pollMs * 1.5, pollBetween[1]);
    this.checkInterrupt();
  }

  private checkInterrupt(): void {
    if (this.options.signal?.aborted !== true) return;
    throw this.stillRunning("interrupted", `interrupted; job ${this.place.jobId} continues`);
  }

  private async readJob(): Promise<Ending | undefined> {
    const { host, jobId } = this.place;
    const job = (await this.session.queue(host).getJob(jobId)) as Job | undefined;
    if (job === undefined) return this.vanished();
    this.begun = hasBegun(job);
    const state = (await job.getState()) as QueueState | "unknown";
    // Read `job` again if it ended in between, because it lacks the result.
    if (state === "completed" || state === "failed")
      return this.ended(job.finishedOn === undefined, job, state);
    await this.passLog();
    const progress = this.passProgress(job);
    this.noteChange(`${state} ${JSON.stringify(progress)}`);
    if (state === "delayed") await this.checkPutOff();
    await this.checkWorker(state);
    return undefined;
  }

  private async passLog(): Promise<void> {
    if (this.options.onLog === undefined) return;
    const { logs } = await this.session.queue(this.place.host).getJobLogs(this.place.jobId, this.logged);
    this.logged += logs.length;
    for (const sentence of logs) this.options.onLog(sentence);
  }

  private passProgress(job: Job): Progress | null {
    const progress = progressOf(job);
    if (progress !== null) this.options.onProgress?.(progress);
    return progress;
  }

  private async ended(stale: boolean, read: Job, state: "completed" | "failed"): Promise<Ending | undefined> {
    const { host, jobId } = this.place;
    const job = stale ? ((await this.session.queue(host).getJob(jobId)) as Job | undefined) : read;
    if (job === undefined) return this.vanished();
    await this.passLog();
    if (state === "failed") return { host, jobId, error: decodeFailure(job.failedReason ?? "") };
    const next = forwardedTo(job.returnvalue);
    if (next === undefined) {
      this.passProgress(job);
      return { host, jobId, result: job.returnvalue as JobResult };
    }
    this.options.onNote?.(`${host} is not the homehost: job forwarded to ${next.host} as ${next.jobId}`);
    this.place = next;
    this.logged = 0;
    this.servedAt = undefined;
    this.placedAt = performance.now();
    this.noteChange("forwarded");
    return undefined;
  }

  /** The job was removed, or is being moved from the waiting to the cancelled jobs. */
  private async vanished(): Promise<Ending> {
    const { redis, settings } = this.session;
    const { host, jobId } = this.place;
    if (await isCancelRequested(redis, settings.prefix, this.place))
      return { host, jobId, error: cancelledInQueue(this.begun) };
    const why = this.wasAway ? "Redis was unreachable and has lost it" : "it was removed";
    throw new JobsError("unknown-job", `job ${jobId} is no longer in its queue: ${why}`, {
      hint: "check the area's last jobs (mtjobs status AREA); if this job is not among them, enqueue it again: it continues where it stopped",
      details: { ...this.place },
    });
  }

  private noteChange(now: string): void {
    if (now === this.seen) return;
    this.seen = now;
    this.pollMs = pollBetween[0];
  }

  /**
   * Handles a job that its worker delayed: ends following if no worker serves the homehost, otherwise reports the
   * reason.
   */
  private async checkPutOff(): Promise<void> {
    const { redis, settings } = this.session;
    const reason = await readDeferral(redis, settings.prefix, this.place);
    if (reason === undefined) return;
    if (reason.code === "no-worker")
      throw this.stillRunning("no-worker", `${reason.message}; job ${this.place.jobId} waits`, reason);
    if (reason.message !== this.notedReason) this.options.onNote?.(`waiting: ${reason.message}`);
    this.notedReason = reason.message;
  }

  private async checkWorker(state: QueueState | "unknown"): Promise<void> {
    const { redis, settings } = this.session;
    const hosts = await listHosts(redis, settings.prefix);
    if (hosts.some((record) => record.host === this.place.host && record.alive)) {
      this.servedAt = performance.now();
      return;
    }
    const since = performance.now() - (this.servedAt ?? this.placedAt);
    if (since < (this.servedAt === undefined ? noWorkerAtStart : noWorkerLater)) return;
    const what = state === "active" ? "is running any more" : "serves it";
    throw this.stillRunning(
      "no-worker",
      `no worker of host ${this.place.host} ${what}; job ${this.place.jobId} waits`,
    );
  }

  private stillRunning(
    code: "timeout" | "interrupted" | "no-worker",
    message: string,
    reason?: JobsError,
  ): JobsError {
    const start = reason?.hint ?? `start one on ${this.place.host}: mtjobs worker`;
    const hint =
      code === "no-worker"
        ? `${start}; or cancel the job: mtjobs cancel ${this.place.jobId}`
        : `show it: mtjobs job ${this.place.jobId}; cancel it: mtjobs cancel ${this.place.jobId}`;
    return new JobsError(code, message, { hint, details: { ...reason?.details, ...this.place } });
  }
}
