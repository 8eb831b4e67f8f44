import { DelayedError, type Job, UnrecoverableError, WaitingError } from "bullmq";
import { encodeFailure } from "../../shared/contract/failure.ts";
import type { Progress } from "../../shared/contract/move-result.ts";
import type { ErrorCode } from "../../shared/error-codes.ts";
import type { JobsError } from "../../shared/errors.ts";
import { clearCancel } from "../../shared/queue/cancel.ts";
import { clearDeferral, recordDeferral } from "../../shared/queue/deferrals.ts";
import { isOutage } from "../../shared/queue/reply-error.ts";
import type { Logger } from "../../shared/settings/log.ts";
import type { JobReporter } from "./job-reporter.ts";
import type { WorkerContext } from "./worker-context.ts";

/** Delay before the `count`th retry of a job whose area is held, ms. */
const heldDelay = (count: number) => Math.min(1000 * count, 10_000) * (1 + Math.random());

/** Returns when a job that was postponed for the `count`th time is retried, ms since 1970. */
function putOffUntil({ details }: JobsError, count: number): number {
  const opensAt = details?.opensAt;
  return typeof opensAt === "number" ? opensAt : Date.now() + heldDelay(count);
}

/** Phases of jobs that are held for long; they keep their counts. */
const heldPhases: Partial<Record<ErrorCode, string>> = {
  paused: "paused",
  "outside-window": "waiting for its time of day",
};

/** Returns true if something else must end first: waiting for it costs no attempt. */
function isPutOff(error: JobsError): boolean {
  return isOutage(error) || ["locked", "paused", "outside-window", "no-worker"].includes(error.code);
}

function progressOf({ progress }: Job): Pick<Progress, "runs" | "rows"> {
  const counts = { runs: { done: 0, total: 0 }, rows: { done: 0 } };
  return typeof progress === "object" ? { ...counts, ...progress } : counts;
}

/**
 * Decides what becomes of a failed job: requeues it, or returns the error to throw, by which BullMQ retries it
 * (`Error`) or not (`UnrecoverableError`).
 */
export async function settleJob(
  job: Job,
  token: string | undefined,
  error: JobsError,
  { reporter, log, host }: { reporter: JobReporter; log: Logger; host: WorkerContext },
): Promise<Error> {
  if (error.code === "stopped") {
    reporter.log("Requeued: the worker is stopping. The job continues later where it stopped.");
    await reporter.flush();
    await job.moveToWait(token);
    return new WaitingError();
  }
  const { redis, settings, waits } = host;
  const place = { host: settings.host, jobId: job.id ?? "" };
  if (isPutOff(error)) {
    const { count, message } = waits.get(job.id ?? "") ?? { count: 0, message: "" };
    // Logged once, not at every retry.
    if (message !== error.message) reporter.log(`Waiting: ${error.message}.`);
    waits.set(job.id ?? "", { count: count + 1, message: error.message });
    const until = putOffUntil(error, count + 1);
    const phase = heldPhases[error.code];
    if (phase !== undefined) reporter.progress({ ...progressOf(job), phase });
    await recordDeferral(redis, settings.prefix, place, error, until).catch(() => {});
    await reporter.flush();
    await job.moveToDelayed(until, token);
    return new DelayedError();
  }
  waits.delete(job.id ?? "");
  await clearDeferral(redis, settings.prefix, place).catch(() => {});
  if (error.code === "cancelled") await clearCancel(redis, settings.prefix, place).catch(() => {});
  reporter.log(`Stopped: ${error.message}${error.hint === undefined ? "" : ` (${error.hint})`}.`);
  log.warn({ code: error.code, details: error.details, stack: error.stack }, error.message);
  await reporter.flush();
  const failure = error.retriable
    ? new Error(encodeFailure(error))
    : new UnrecoverableError(encodeFailure(error));
  // Bull Board and `mtjobs job` show where it was thrown.
  if (error.stack !== undefined) failure.stack = error.stack;
  return failure;
}
