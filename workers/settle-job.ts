import { DelayedError, type Job, UnrecoverableError, WaitingError } from "bullmq";
import type { JobsError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { clearCancel } from "../shared/queue/cancel.ts";
import { encodeFailure } from "../shared/queue/failure.ts";
import { clearWaiting, noteWaiting } from "../shared/queue/waiting.ts";
import type { JobHost } from "./job-host.ts";
import type { JobReporter } from "./job-reporter.ts";

/** Milliseconds until a job whose area is held by another is tried again, for the `count`th time. */
const heldDelay = (count: number) => Math.min(1000 * count, 10_000) * (1 + Math.random());

/** True for what somebody else must end first: it costs no attempt, however long it takes. */
function isPutOff({ code }: JobsError): boolean {
  return code === "locked" || code === "redis-unreachable" || code === "no-worker";
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
    await noteWaiting(redis, settings.prefix, place, error).catch(() => {});
    await reporter.flush();
    await job.moveToDelayed(Date.now() + heldDelay(count + 1), token);
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
