import type { Job } from "bullmq";
import { deduplicationId } from "../shared/queue/enqueue-options.ts";
import { decodeFailure } from "../shared/queue/failure.ts";
import { isForwarded } from "../shared/queue/forwarded.ts";
import { noteOutcome, originOf } from "../shared/queue/outcomes.ts";
import type { JobName, JobPayload } from "../shared/queue/payload.ts";
import type { MoveResult } from "../shared/result.ts";
import type { JobHost } from "./job-host.ts";

/** Says how a job ended that a policy or a schedule asked for; one that goes on elsewhere or again has not. */
export async function noteEnd({ redis, settings, log }: JobHost, job: Job): Promise<void> {
  const { id = "", finishedOn, failedReason, timestamp, processedOn = timestamp } = job;
  const origin = originOf(job.data);
  const result: unknown = job.returnvalue;
  if (origin === undefined || !finishedOn || isForwarded(result)) return;
  const failed = typeof failedReason === "string" && failedReason !== "";
  const timeUp = failed ? undefined : (result as MoveResult | null)?.timeUp;
  const ended = {
    ...origin,
    host: settings.host,
    jobId: id,
    work: deduplicationId(job.name as JobName, job.data as JobPayload),
    startedAt: new Date(processedOn).toISOString(),
    endedAt: new Date(finishedOn).toISOString(),
    error: failed ? decodeFailure(failedReason).toDocument() : null,
    timeUp: timeUp?.by ?? null,
  };
  await noteOutcome(redis, settings.prefix, ended).catch((error: unknown) =>
    log.warn({ err: error, jobId: id }, "could not note how the job ended"),
  );
}
