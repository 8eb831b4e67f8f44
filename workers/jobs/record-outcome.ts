import type { Job } from "bullmq";
import { decodeFailure } from "../../shared/contract/failure.ts";
import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { JobName, JobPayload } from "../../shared/contract/payload.ts";
import { deduplicationId } from "../../shared/queue/enqueue-options.ts";
import { isForwarded } from "../../shared/queue/names.ts";
import { originOf, writeOutcome } from "../../shared/queue/outcomes.ts";
import { startedOn } from "../../shared/queue/started-on.ts";
import type { WorkerContext } from "./worker-context.ts";

/** How a job ended, or is about to end. */
export interface JobEnd {
  result: unknown;
  /** As `encodeFailure` wrote it; undefined if the job succeeded. */
  failure: string | undefined;
  /** Ms since 1970. */
  at: number;
}

/** The end of a finished job; undefined while it may run again. */
export function endOf({ finishedOn, failedReason, returnvalue }: Job): JobEnd | undefined {
  if (!finishedOn) return undefined;
  const failure = typeof failedReason === "string" && failedReason !== "" ? failedReason : undefined;
  return { result: returnvalue, failure, at: finishedOn };
}

/**
 * Records how a job ended that a policy or a schedule requested. Recorded before the job leaves its queue, so that the
 * policy scan, which may enqueue the same work from that moment on, knows of it; and once more when it has left.
 */
export async function recordOutcome(
  { redis, settings, log }: WorkerContext,
  job: Job,
  end: JobEnd,
): Promise<void> {
  const { id = "", timestamp } = job;
  const { result, failure } = end;
  const origin = originOf(job.data);
  if (origin === undefined || isForwarded(result)) return;
  const timeUp = failure === undefined ? (result as MoveResult | null)?.timeUp : undefined;
  try {
    await writeOutcome(redis, settings.prefix, {
      ...origin,
      host: settings.host,
      jobId: id,
      // A job that another tool added may have data of any shape.
      work: deduplicationId(job.name as JobName, job.data as JobPayload),
      startedAt: new Date(startedOn(job) ?? timestamp).toISOString(),
      endedAt: new Date(end.at).toISOString(),
      error: failure === undefined ? null : decodeFailure(failure).toDocument(),
      timeUp: timeUp?.by ?? null,
    });
  } catch (error) {
    log.warn({ err: error, jobId: id }, "could not record how the job ended");
  }
}
