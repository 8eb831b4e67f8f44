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
 * Asks that a job ends: one that waits is removed, a running one stops at its next batch, a finished one is
 * left as it is. A job that was forwarded is followed to where it went. @throws {JobsError} as `findJob`
 */
export async function cancelJob(session: Session, jobId: string, at?: string): Promise<Cancelled> {
  const { host, job } = await findJob(session, jobId, at);
  if (job.repeatJobKey !== undefined && !job.finishedOn) {
    throw new JobsError("usage", `${jobId} is the next turn of the schedule ${job.repeatJobKey}`, {
      hint: `to end the schedule: mtjobs schedule remove ${job.repeatJobKey}`,
    });
  }
  const outcome = await requestCancel(session, { host, jobId });
  if (outcome === "unknown") {
    throw new JobsError("unknown-job", `job ${jobId} has just been removed`);
  }
  const next = outcome === "finished" ? forwardedTo(job.returnvalue) : undefined;
  // Under its own id it would have been found where it went: only another id leads on.
  return next === undefined || next.jobId === jobId
    ? { jobId, host, outcome }
    : await cancelJob(session, next.jobId);
}
