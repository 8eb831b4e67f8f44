import { setTimeout as sleep } from "node:timers/promises";
import type { Job } from "bullmq";
import { JobsError } from "../shared/errors.ts";
import type { JobResult } from "../shared/job-result.ts";
import { cancelledBeforehand, isCancelRequested } from "../shared/queue/cancel.ts";
import { decodeFailure } from "../shared/queue/failure.ts";
import { listHosts } from "../shared/queue/hosts.ts";
import type { JobPlace } from "../shared/queue/names.ts";
import { toQueueError } from "../shared/queue/outage.ts";
import { readWaiting } from "../shared/queue/waiting.ts";
import type { Progress } from "../shared/result.ts";
import { forwardedTo, progressOf, type QueueState } from "./job-view.ts";
import type { Session } from "./session.ts";

/** How a followed job ended, and where: the homehost's queue if it was forwarded there. */
export type Ending<Result extends JobResult = JobResult> = JobPlace &
  ({ result: Result; error?: never } | { result?: never; error: JobsError });

export interface FollowOptions {
  /** Aborted: following ends with `interrupted`; the job goes on. */
  signal?: AbortSignal | undefined;
  /** Milliseconds after which following ends with `timeout`; the job goes on. Undefined: none. */
  timeoutMs?: number | undefined;
  onProgress?: (progress: Progress) => void;
  /** One sentence about what the job waits for or where it went. */
  onNote?: (sentence: string) => void;
}

/** Polling grows from the first to the second while nothing changes, in milliseconds. */
const pollBetween = [20, 250] as const;
/** With no worker on the host for this long, in milliseconds, nobody will take the job: at once, and later on. */
const noWorkerAtStart = 1500;
const noWorkerLater = 10_000;
/** How long an outage of Redis is waited out, in milliseconds: a restart or a fail-over takes seconds. */
const outage = 30_000;

/**
 * Follows a job to its end, over forwarding too, and says how it ended. It asks at intervals instead of
 * listening to events: those are missed around an outage, and a question to Redis costs next to nothing.
 *
 * @throws {JobsError} `timeout`, `interrupted`, `no-worker`, `redis-unreachable`, or `unknown-job`
 *   where the job was removed; the job's own failure is returned, not thrown.
 */
export async function followJob<Result extends JobResult = JobResult>(
  session: Session,
  place: JobPlace,
  options: FollowOptions = {},
): Promise<Ending<Result>> {
  const follower = new Follower(session, place, options);
  for (;;) {
    const ending = await follower.look();
    if (ending !== undefined) return ending as Ending<Result>;
    await follower.pause();
  }
}

class Follower {
  private readonly session: Session;
  private readonly options: FollowOptions;
  private readonly deadline: number;
  private place: JobPlace;
  private pollMs: number = pollBetween[0];
  private seen = "";
  private told = "";
  private servedAt: number | undefined;
  /** Since when the job has been where it is, as far as we know. */
  private placedAt = performance.now();
  private unreachableSince: number | undefined;
  private wasAway = false;

  constructor(session: Session, place: JobPlace, options: FollowOptions) {
    this.session = session;
    this.place = place;
    this.options = options;
    this.deadline = this.placedAt + (options.timeoutMs ?? Number.POSITIVE_INFINITY);
  }

  /** One look at the job; its end, or undefined while it goes on. */
  async look(): Promise<Ending | undefined> {
    this.checkInterrupt();
    try {
      const ending = await this.ask();
      this.unreachableSince = undefined;
      return ending;
    } catch (thrown) {
      const error = await toQueueError(thrown, this.session.redis, this.session.settings.redisUrl);
      if (error.code !== "redis-unreachable") throw error;
      if (this.unreachableSince === undefined) {
        this.unreachableSince = performance.now();
        this.wasAway = true;
        this.options.onNote?.(`${error.message}; waiting for it to come back`);
      }
      if (performance.now() - this.unreachableSince > outage) throw error;
      return undefined;
    }
  }

  /** Waits until the next look. @throws {JobsError} `timeout` or `interrupted` */
  async pause(): Promise<void> {
    const left = this.deadline - performance.now();
    if (left <= 0) {
      throw this.stillRunning(
        "timeout",
        `job ${this.place.jobId} is not finished in the time given; it goes on`,
      );
    }
    await sleep(Math.min(this.pollMs, left), undefined, { signal: this.options.signal }).catch(() => {});
    this.pollMs = Math.min(this.pollMs * 1.5, pollBetween[1]);
    this.checkInterrupt();
  }

  private checkInterrupt(): void {
    if (this.options.signal?.aborted !== true) return;
    throw this.stillRunning("interrupted", `interrupted; job ${this.place.jobId} goes on`);
  }

  private async ask(): Promise<Ending | undefined> {
    const { host, jobId } = this.place;
    const job = (await this.session.queue(host).getJob(jobId)) as Job | undefined;
    if (job === undefined) return this.vanished();
    const state = (await job.getState()) as QueueState | "unknown";
    // What ended after `job` was read is read again, else its result would be missing.
    if (state === "completed" || state === "failed")
      return this.ended(job.finishedOn === undefined, job, state);
    const progress = progressOf(job);
    if (progress !== null) this.options.onProgress?.(progress);
    this.noteChange(`${state} ${JSON.stringify(progress)}`);
    if (state === "delayed") await this.checkPutOff();
    await this.checkWorker(state);
    return undefined;
  }

  private async ended(stale: boolean, read: Job, state: "completed" | "failed"): Promise<Ending | undefined> {
    const { host, jobId } = this.place;
    const job = stale ? ((await this.session.queue(host).getJob(jobId)) as Job | undefined) : read;
    if (job === undefined) return this.vanished();
    if (state === "failed") return { host, jobId, error: decodeFailure(job.failedReason ?? "") };
    const next = forwardedTo(job.returnvalue);
    if (next === undefined) return { host, jobId, result: job.returnvalue as JobResult };
    this.options.onNote?.(`${host} is not the area's home: the job went on to ${next.host} as ${next.jobId}`);
    this.place = next;
    this.servedAt = undefined;
    this.placedAt = performance.now();
    this.noteChange("forwarded");
    return undefined;
  }

  /** Removed, or on its way from the jobs that wait to those that were cancelled. */
  private async vanished(): Promise<Ending> {
    const { redis, settings } = this.session;
    const { host, jobId } = this.place;
    if (await isCancelRequested(redis, settings.prefix, this.place))
      return { host, jobId, error: cancelledBeforehand() };
    const why = this.wasAway ? "Redis was out of reach and came back without it" : "it was removed";
    throw new JobsError("unknown-job", `job ${jobId} is no longer in its queue: ${why}`, {
      hint: "see what was done in the area's last jobs (mtjobs status AREA); if this job is not among them, ask for it again: it goes on where it stopped",
      details: { ...this.place },
    });
  }

  private noteChange(now: string): void {
    if (now === this.seen) return;
    this.seen = now;
    this.pollMs = pollBetween[0];
  }

  /** The worker that took the job has put it off: that none serves the homehost ends the waiting, the rest is told. */
  private async checkPutOff(): Promise<void> {
    const { redis, settings } = this.session;
    const reason = await readWaiting(redis, settings.prefix, this.place);
    if (reason === undefined) return;
    if (reason.code === "no-worker")
      throw this.stillRunning("no-worker", `${reason.message}; job ${this.place.jobId} waits`, reason);
    if (reason.message !== this.told) this.options.onNote?.(`waits: ${reason.message}`);
    this.told = reason.message;
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
    const what = state === "active" ? "has stopped in the middle of it" : "serves it";
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
        ? `${start}; or take the job back: mtjobs cancel ${this.place.jobId}`
        : `look at it: mtjobs job ${this.place.jobId}; end it: mtjobs cancel ${this.place.jobId}`;
    return new JobsError(code, message, { hint, details: { ...reason?.details, ...this.place } });
  }
}
