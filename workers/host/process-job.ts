import { DelayedError, type Job, UnrecoverableError, WaitingError } from "bullmq";
import type { Redis } from "ioredis";
import { assertNotPaused } from "../../shared/area/pause.ts";
import type { MigratePayload, MigrateStepPayload } from "../../shared/contract/migrate-payload.ts";
import type { MigrateResult } from "../../shared/contract/migrate-result.ts";
import type { MoveResult, Progress } from "../../shared/contract/move-result.ts";
import { type MoveName, type MovePayload, parsePayload } from "../../shared/contract/payload.ts";
import { JobsError } from "../../shared/errors.ts";
import { verbOf } from "../../shared/job-verbs.ts";
import { clearCancel, isCancelRequested } from "../../shared/queue/cancel.ts";
import { type Forwarded, isForwarded, type JobLocation, stepName } from "../../shared/queue/names.ts";
import { toQueueError } from "../../shared/queue/redis-errors.ts";
import { isReply } from "../../shared/queue/reply-error.ts";
import { jobLog } from "../../shared/settings/log.ts";
import { plural } from "../../shared/text.ts";
import type { ThreadResult } from "../job-thread/protocol.ts";
import { enqueueScheduled, forwardJob } from "../jobs/forward-job.ts";
import { JobReporter } from "../jobs/job-reporter.ts";
import { locateArea } from "../jobs/locate-area.ts";
import { coordinate } from "../jobs/migration/coordinate.ts";
import { type MigrationJobContext, runStepJob } from "../jobs/migration/step-job.ts";
import { assertStillRequested } from "../jobs/policy-payload.ts";
import { recordOutcome } from "../jobs/record-outcome.ts";
import { runInThread } from "../jobs/run-in-thread.ts";
import { settleJob } from "../jobs/settle-job.ts";
import type { WorkerContext } from "../jobs/worker-context.ts";
import { areaLockKeys } from "../locks/lock-keys.ts";
import { assertInWindow } from "../move/session/time-budget.ts";

const cancelled = () =>
  new JobsError("cancelled", "the job was cancelled", { hint: "runs already moved stay moved" });

/**
 * Processes one job from the queue. Returns its result, or throws what tells BullMQ how to continue: requeue
 * (`WaitingError`, `DelayedError`: no attempt is spent), retry (`Error`) or give up (`UnrecoverableError`).
 */
export async function processJob(
  job: Job,
  token: string | undefined,
  host: WorkerContext,
): Promise<ThreadResult | MigrateResult | Forwarded> {
  const jobId = job.id ?? "";
  const area: unknown = (job.data as { area?: unknown } | null)?.area;
  const log = jobLog(host.log, { job: job.name, jobId, area: String(area) });
  const reporter = new JobReporter(job, log);
  const abort = new AbortController();
  host.running.set(jobId, abort);
  const { redis, settings } = host;
  const place = { host: settings.host, jobId };
  const unwatch = watchCancel(redis, settings.prefix, place, () => abort.abort(cancelled()));
  try {
    const result = await perform(job, { token, signal: abort.signal, reporter, host });
    await clearCancel(redis, settings.prefix, place).catch(() => {});
    host.waits.delete(jobId);
    if ("moved" in result) reporter.log(lastSentence(result));
    if (!isForwarded(result)) reporter.done(countsOf(result));
    await recordOutcome(host, job, { result, failure: undefined, at: Date.now() });
    return result;
  } catch (thrown) {
    // A waiting migration has postponed its job itself.
    if (thrown instanceof DelayedError) throw thrown;
    const error = await toQueueError(thrown, redis, settings.redisUrl);
    const failure = await settleJob(job, token, error, { reporter, log, host });
    if (isLast(job, failure))
      await recordOutcome(host, job, { result: null, failure: failure.message, at: Date.now() });
    throw failure;
  } finally {
    unwatch();
    host.running.delete(jobId);
    await reporter.flush();
  }
}

/** Whether BullMQ gives the job up with this error. */
function isLast({ attemptsMade, opts }: Job, failure: Error): boolean {
  if (failure instanceof DelayedError || failure instanceof WaitingError) return false;
  return failure instanceof UnrecoverableError || attemptsMade + 1 >= (opts.attempts ?? 1);
}

/** Returns the counts of a finished job; a migration and its steps have none. */
function countsOf(result: object): Pick<Progress, "runs" | "rows"> {
  const moved: Record<string, number> = "moved" in result ? (result as MoveResult).moved : {};
  const { runs = 0 } = moved;
  const rows = Object.values(moved).reduce((sum, count) => sum + count, 0);
  return { runs: { done: runs, total: runs }, rows: { done: rows, total: rows } };
}

/** Returns the last sentence of a job's log. */
function lastSentence({ job, dryRun, moved, skippedCounts, elapsedMs }: MoveResult): string {
  const { did: done, todo } = verbOf(job);
  const stay = Object.values(skippedCounts).reduce((sum, count) => sum + count, 0);
  const did = dryRun ? `Dry run: would ${todo}` : `Done: ${done}`;
  return `${did} ${plural(moved.runs, "run")} in ${(elapsedMs / 1000).toFixed(1)} s; ${stay} ${stay === 1 ? "stays" : "stay"}.`;
}

/** Turns a failure of forwarding into a retriable one: it only talks to Redis. */
function outage(error: unknown): never {
  if (error instanceof JobsError) throw error;
  throw retriable(error, "refused to forward the job", "did not answer while the job was forwarded");
}

/**
 * Turns an error of Redis into a retriable one: on this thread a migration only talks to Redis, which may answer late
 * on a busy machine. Programming errors pass, since they would be retried forever.
 */
function lateAnswer(error: unknown): never {
  const isOther = [JobsError, DelayedError, TypeError, RangeError, ReferenceError];
  if (isOther.some((kind) => error instanceof kind)) throw error;
  throw retriable(error, "refused a command of the migration", "did not answer the migration in time");
}

function retriable(error: unknown, refused: string, silent: string): JobsError {
  return isReply(error)
    ? new JobsError("bad-redis", `Redis ${refused}: ${error.message}`, {
        cause: error,
        details: { temporary: true },
      })
    : new JobsError("redis-unreachable", `Redis ${silent}`, { cause: error });
}

async function perform(
  job: Job,
  { token, signal, reporter, host }: MigrationJobContext,
): Promise<ThreadResult | MigrateResult | Forwarded> {
  const { settings, redis } = host;
  const payload = parsePayload(job.name, job.data);
  const jobId = job.id ?? "";
  host.onArea?.(payload.area);
  // If Redis does not answer now, the watch sees the request later.
  const request = isCancelRequested(redis, settings.prefix, { host: settings.host, jobId });
  const isCancelled = await request.catch(() => false);
  if (job.repeatJobKey !== undefined) {
    if (isCancelled) throw cancelled();
    const { forwarded } = await enqueueScheduled(job, payload, host).catch(outage);
    reporter.log(`Enqueued the scheduled job ${forwarded.jobId}.`);
    return { forwarded };
  }
  const context = { token, signal, reporter, host };
  // A waiting migration may be half done, so its job handles the cancel request.
  if (job.name === "migrate")
    return await coordinate(job, payload as MigratePayload, { ...context, isCancelled }).catch(lateAnswer);
  if (isCancelled) throw cancelled();
  if (job.name === stepName) return await runStepJob(job, payload as MigrateStepPayload, context);
  return await moveRuns(job, payload as MovePayload, context);
}

async function moveRuns(
  job: Job,
  payload: MovePayload,
  { signal, reporter, host }: MigrationJobContext,
): Promise<MoveResult | Forwarded> {
  const { settings } = host;
  const jobId = job.id ?? "";
  const place = await locateArea(payload.area, settings, host.env);
  if (place.elsewhere !== undefined) {
    const { forwarded, alive } = await forwardJob(job, payload, place.elsewhere, host).catch(outage);
    const but = alive ? "" : "; no worker is running there now, so it waits";
    reporter.log(
      `${settings.host} is not the area's homehost: the job continues in ${forwarded.host}'s queue${but}.`,
    );
    return { forwarded };
  }
  assertStillRequested(job.name, payload, settings, host.env);
  await assertNotPaused(place.realPath, settings.areas);
  assertInWindow(payload);
  const owner = { host: settings.host, pid: process.pid, jobId, since: new Date().toISOString() };
  const lock = await host.locks.acquire(areaLockKeys(settings.prefix, place), owner);
  try {
    if (!host.waits.has(jobId)) reporter.log(`Worker ${process.pid} on ${settings.host} started the job.`);
    const triedAgain = job.attemptsMade + 1 < (job.opts.attempts ?? 1);
    return await runInThread(
      { name: job.name as MoveName, payload, jobId, triedAgain },
      [signal, lock.signal, host.leaving],
      { reporter, host },
    );
  } finally {
    // An abandoned thread may still be working: its lock expires.
    if (!host.abandon.aborted) await lock.release();
  }
}

/** Interval between checks for a cancel request, ms. */
const interval = 500;

/** Calls `onCancel` once when the job's cancellation is requested. Returns a function that ends the watch. */
function watchCancel(redis: Redis, prefix: string, place: JobLocation, onCancel: () => void): () => void {
  let over = false;
  const check = async (): Promise<void> => {
    // While Redis is away there are no requests.
    const isRequested = await isCancelRequested(redis, prefix, place).catch(() => false);
    if (!isRequested || over) return;
    end();
    onCancel();
  };
  const timer = setInterval(() => void check(), interval);
  const end = () => {
    over = true;
    clearInterval(timer);
  };
  return end;
}
