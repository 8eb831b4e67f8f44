import { DelayedError, type Job, UnrecoverableError, WaitingError } from "bullmq";
import type { Redis } from "ioredis";
import { JobsError, toJobsError } from "../shared/errors.ts";
import { jobLog, type Logger } from "../shared/log.ts";
import { areaLockKeys } from "../shared/queue/area-lock-key.ts";
import { clearCancel, isCancelRequested } from "../shared/queue/cancel.ts";
import { encodeFailure } from "../shared/queue/failure.ts";
import type { Forwarded } from "../shared/queue/forwarded.ts";
import { type JobName, parsePayload } from "../shared/queue/payload.ts";
import type { MoveResult } from "../shared/result.ts";
import type { Settings } from "../shared/settings.ts";
import type { AreaLocks } from "./area-lock.ts";
import { forwardJob } from "./forward-job.ts";
import { JobReporter } from "./job-reporter.ts";
import { locateArea } from "./locate-area.ts";
import { runInThread } from "./run-in-thread.ts";
import { watchCancel } from "./watch-cancel.ts";

/** What a job needs of the worker that took it. */
export interface JobHost {
  settings: Settings;
  log: Logger;
  /** Fail-fast; for forwarding and for requests to cancel. */
  redis: Redis;
  locks: AreaLocks;
  /** Aborted (`stopped`) when the worker leaves. */
  leaving: AbortSignal;
  /** Aborted when the worker can wait no longer for a step to end. */
  abandon: AbortSignal;
  /** By job id, while it runs: aborting it stops the job at its next batch. */
  running: Map<string, AbortController>;
  threadUrl?: URL;
}

const cancelled = () =>
  new JobsError("cancelled", "the job was cancelled", { hint: "what it moved stays moved" });

/** Milliseconds until a job whose area is held by another is tried again. */
const heldDelay = () => 1000 + Math.random() * 1000;

/**
 * One job from the queue to its end. Returns its result, or throws what tells BullMQ how to go on: put back
 * (`WaitingError`, `DelayedError`: no attempt is spent), try again later (`Error`) or give up (`UnrecoverableError`).
 */
export async function processJob(
  job: Job,
  token: string | undefined,
  host: JobHost,
): Promise<MoveResult | Forwarded> {
  const jobId = job.id ?? "";
  const area: unknown = (job.data as { area?: unknown } | null)?.area;
  const log = jobLog(host.log, { job: job.name, jobId, area: String(area) });
  const reporter = new JobReporter(job, log);
  const abort = new AbortController();
  host.running.set(jobId, abort);
  const unwatch = watchCancel(host.redis, host.settings.prefix, jobId, () => abort.abort(cancelled()));
  try {
    const result = await perform(job, abort.signal, reporter, host);
    await clearCancel(host.redis, host.settings.prefix, jobId).catch(() => {});
    return result;
  } catch (thrown) {
    throw await settle(job, token, toJobsError(thrown), { reporter, log, host });
  } finally {
    unwatch();
    host.running.delete(jobId);
    await reporter.flush();
  }
}

async function perform(
  job: Job,
  signal: AbortSignal,
  reporter: JobReporter,
  host: JobHost,
): Promise<MoveResult | Forwarded> {
  const { settings, redis } = host;
  const payload = parsePayload(job.name, job.data);
  const name = job.name as JobName;
  const jobId = job.id ?? "";
  if (await isCancelRequested(redis, settings.prefix, jobId)) throw cancelled();
  const place = await locateArea(payload.area, settings);
  if (place.elsewhere !== undefined) {
    const { forwarded, alive } = await forwardJob(job, payload, place.elsewhere, host);
    const but = alive ? "" : "; no worker is running there at the moment, so it waits";
    reporter.log(
      `${settings.host} is not the area's homehost: the job goes on in ${forwarded.host}'s queue${but}.`,
    );
    return { forwarded };
  }
  const owner = { host: settings.host, pid: process.pid, jobId, since: new Date().toISOString() };
  const lock = await host.locks.acquire(areaLockKeys(settings.prefix, place), owner);
  try {
    reporter.log(`Worker ${process.pid} on ${settings.host} takes the job.`);
    return await runUnderLock({ name, payload, jobId, settings }, signal, lock.signal, { reporter, host });
  } finally {
    // A thread that was given up may still be at work: its lock runs out by itself.
    if (!host.abandon.aborted) await lock.release();
  }
}

async function runUnderLock(
  data: Parameters<typeof runInThread>[0],
  signal: AbortSignal,
  lockLost: AbortSignal,
  { reporter, host }: { reporter: JobReporter; host: JobHost },
): Promise<MoveResult> {
  const either = new AbortController();
  const sources = [signal, lockLost, host.leaving];
  const forwards = sources.map((source) => {
    const pass = () => either.abort(source.reason);
    if (source.aborted) pass();
    source.addEventListener("abort", pass);
    return () => source.removeEventListener("abort", pass);
  });
  try {
    return await runInThread(data, {
      signal: either.signal,
      abandon: host.abandon,
      onLog: (sentence) => reporter.log(sentence),
      onProgress: (progress) => reporter.progress(progress),
      ...(host.threadUrl === undefined ? {} : { threadUrl: host.threadUrl }),
    });
  } finally {
    for (const end of forwards) end();
  }
}

/** Decides what becomes of a job that did not complete. */
async function settle(
  job: Job,
  token: string | undefined,
  error: JobsError,
  { reporter, log, host }: { reporter: JobReporter; log: Logger; host: JobHost },
): Promise<Error> {
  if (error.code === "stopped") {
    reporter.log("Put back: the worker is leaving. The job goes on where it stopped.");
    await reporter.flush();
    await job.moveToWait(token);
    return new WaitingError();
  }
  if (error.code === "locked" || error.code === "redis-unreachable") {
    reporter.log(`Waits: ${error.message}.`);
    await reporter.flush();
    await job.moveToDelayed(Date.now() + heldDelay(), token);
    return new DelayedError();
  }
  if (error.code === "cancelled") {
    await clearCancel(host.redis, host.settings.prefix, job.id ?? "").catch(() => {});
  }
  reporter.log(`Stopped: ${error.message}${error.hint === undefined ? "" : ` (${error.hint})`}.`);
  log.warn({ code: error.code, details: error.details, stack: error.stack }, error.message);
  await reporter.flush();
  const failure = error.retriable
    ? new Error(encodeFailure(error))
    : new UnrecoverableError(encodeFailure(error));
  // Bull Board and `mtjobs job` show where it was thrown, not that it passed here.
  if (error.stack !== undefined) failure.stack = error.stack;
  return failure;
}
