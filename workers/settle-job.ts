import { DelayedError, type Job, UnrecoverableError, WaitingError } from "bullmq";
import type { ErrorCode, JobsError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { clearCancel } from "../shared/queue/cancel.ts";
import { encodeFailure } from "../shared/queue/failure.ts";
import { clearWaiting, noteWaiting } from "../shared/queue/waiting.ts";
import type { Progress } from "../shared/result.ts";
import type { JobHost } from "./job-host.ts";
import type { JobReporter } from "./job-reporter.ts";

/** Milliseconds until a job whose area is held by another is tried again, for the `count`th time. */
const heldDelay = (count: number) => Math.min(1000 * count, 10_000) * (1 + Math.random());

/** When a job that was put off for the `count`th time is taken up again, ms since 1970. */
function putOffUntil({ details }: JobsError, count: number): number {
  const opensAt = details?.opensAt;
  return typeof opensAt === "number" ? opensAt : Date.now() + heldDelay(count);
}

/** What a job that is held for long shows as its phase; it keeps the counts of what it did. */
const heldPhases: Partial<Record<ErrorCode, string>> = {
  paused: "paused",
  "outside-window": "waiting for its time of day",
};

/** True for what somebody else must end first: it costs no attempt, however long it takes. */
function isPutOff({ code }: JobsError): boolean {
  return ["locked", "paused", "outside-window", "redis-unreachable", "no-worker"].includes(code);
}

function progressOf({ progress }: Job): Pick<Progress, "runs" | "rows"> {
  const counts = { runs: { done: 0, total: 0 }, rows: { done: 0 } };
  return typeof progress === "object" ? { ...counts, ...progress } : counts;
}

/**
 * Decides what becomes of a job that did not complete: puts it back, or tells by the error that it returns to be
 * thrown whether BullMQ tries it again (`Error`) or not (`UnrecoverableError`).
 */
export async function settleJob(
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
  const { redis, settings, waits } = host;
  const place = { host: settings.host, jobId: job.id ?? "" };
  if (isPutOff(error)) {
    const { count, said } = waits.get(job.id ?? "") ?? { count: 0, said: "" };
    // Said once, or the story would be nothing else by the time the area is free.
    if (said !== error.message) reporter.log(`Waits: ${error.message}.`);
    waits.set(job.id ?? "", { count: count + 1, said: error.message });
    const until = putOffUntil(error, count + 1);
    const phase = heldPhases[error.code];
    if (phase !== undefined) reporter.progress({ ...progressOf(job), phase });
    await noteWaiting(redis, settings.prefix, place, error, until).catch(() => {});
    await reporter.flush();
    await job.moveToDelayed(until, token);
    return new DelayedError();
  }
  waits.delete(job.id ?? "");
  await clearWaiting(redis, settings.prefix, place).catch(() => {});
  if (error.code === "cancelled") await clearCancel(redis, settings.prefix, place).catch(() => {});
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
