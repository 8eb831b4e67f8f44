import type { Job } from "bullmq";
import { JobsError } from "../shared/errors.ts";
import { verbOf } from "../shared/job-verbs.ts";
import { jobLog } from "../shared/log.ts";
import { plural } from "../shared/plural.ts";
import { areaLockKeys } from "../shared/queue/area-lock-key.ts";
import { clearCancel, isCancelRequested } from "../shared/queue/cancel.ts";
import type { Forwarded } from "../shared/queue/forwarded.ts";
import { toQueueError } from "../shared/queue/outage.ts";
import { type JobName, parsePayload } from "../shared/queue/payload.ts";
import type { MoveResult } from "../shared/result.ts";
import { forwardJob } from "./forward-job.ts";
import type { JobHost } from "./job-host.ts";
import { JobReporter } from "./job-reporter.ts";
import { locateArea } from "./locate-area.ts";
import { runInThread } from "./run-in-thread.ts";
import { settleJob } from "./settle-job.ts";
import { watchCancel } from "./watch-cancel.ts";

const cancelled = () =>
  new JobsError("cancelled", "the job was cancelled", { hint: "what it moved stays moved" });

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
  const { redis, settings } = host;
  const place = { host: settings.host, jobId };
  const unwatch = watchCancel(redis, settings.prefix, place, () => abort.abort(cancelled()));
  try {
    const result = await perform(job, abort.signal, reporter, host);
    await clearCancel(redis, settings.prefix, place).catch(() => {});
    host.waits.delete(jobId);
    if (!("forwarded" in result)) reporter.log(endOf(result));
    return result;
  } catch (thrown) {
    throw await settleJob(job, token, await toQueueError(thrown, redis, settings.redisUrl), {
      reporter,
      log,
      host,
    });
  } finally {
    unwatch();
    host.running.delete(jobId);
    await reporter.flush();
  }
}

/** The last sentence of a job's story. */
function endOf({ job, dryRun, moved, skippedCounts, elapsedMs }: MoveResult): string {
  const { did: done, todo } = verbOf(job);
  const stay = Object.values(skippedCounts).reduce((sum, count) => sum + count, 0);
  const did = dryRun ? `Dry run: would ${todo}` : `Done: ${done}`;
  return `${did} ${plural(moved.runs, "run")} in ${(elapsedMs / 1000).toFixed(1)} s; ${stay} ${stay === 1 ? "stays" : "stay"}.`;
}

/** Forwarding is nothing but talk with Redis: what goes wrong there may be gone by the time somebody looks. */
function outage(error: unknown): never {
  if (error instanceof JobsError) throw error;
  throw new JobsError("redis-unreachable", "Redis did not answer while the job was forwarded", {
    cause: error,
  });
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
  // Where Redis does not answer at this moment, the watch sees the request later.
  const asked = isCancelRequested(redis, settings.prefix, { host: settings.host, jobId });
  if (await asked.catch(() => false)) throw cancelled();
  const place = await locateArea(payload.area, settings, host.env);
  if (place.elsewhere !== undefined) {
    const { forwarded, alive } = await forwardJob(job, payload, place.elsewhere, host).catch(outage);
    const but = alive ? "" : "; no worker is running there at the moment, so it waits";
    reporter.log(
      `${settings.host} is not the area's homehost: the job goes on in ${forwarded.host}'s queue${but}.`,
    );
    return { forwarded };
  }
  const owner = { host: settings.host, pid: process.pid, jobId, since: new Date().toISOString() };
  const lock = await host.locks.acquire(areaLockKeys(settings.prefix, place), owner);
  try {
    if (!host.waits.has(jobId)) reporter.log(`Worker ${process.pid} on ${settings.host} takes the job.`);
    const triedAgain = job.attemptsMade + 1 < (job.opts.attempts ?? 1);
    return await runUnderLock({ name, payload, jobId, settings, triedAgain }, signal, lock.signal, {
      reporter,
      host,
    });
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
