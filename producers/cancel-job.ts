import { JobsError } from "../shared/errors.ts";
import { type CancelOutcome, requestCancel } from "../shared/queue/cancel.ts";
import type { JobPlace } from "../shared/queue/names.ts";
import { findJob } from "./find-job.ts";
import { forwardedTo } from "./job-view.ts";
import type { Session } from "./session.ts";

export interface Cancelled extends JobPlace {
  outcome: Exclude<CancelOutcome, "unknown">;
}

/**
 * Cancels a job: a waiting one is removed, a running one stops at its next batch, a finished one is unchanged. A
 * forwarded job is followed to its new queue. @throws {JobsError} as `findJob`
 */
export async function cancelJob(session: Session, jobId: string, at?: string): Promise<Cancelled> {
  const { host, job } = await findJob(session, jobId, at);
  if (job.repeatJobKey !== undefined && !job.finishedOn) {
    throw new JobsError("usage", `${jobId} is the next job of the schedule ${job.repeatJobKey}`, {
      hint: `to remove the schedule: mtjobs schedule remove ${job.repeatJobKey}`,
    });
  }
  const outcome = await requestCancel(session, { host, jobId });
  if (outcome === "unknown") {
    throw new JobsError("unknown-job", `job ${jobId} has just been removed`);
  }
  const next = outcome === "finished" ? forwardedTo(job.returnvalue) : undefined;
  // `findJob` already follows a job forwarded under its own id.
  return next === undefined || next.jobId === jobId
    ? { jobId, host, outcome }
    : await cancelJob(session, next.jobId);
}
