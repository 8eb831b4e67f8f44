import type { Job } from "bullmq";
import { JobsError } from "../../shared/errors.ts";
import { requestCancel } from "../../shared/queue/cancel.ts";
import { readDeferral } from "../../shared/queue/deferrals.ts";
import { listHosts } from "../../shared/queue/hosts.ts";
import { isNumber } from "../../shared/queue/names.ts";
import type { Cancelled, FollowedJob, JobReport, JobView } from "../contract/job.ts";
import type { QueueState } from "../contract/job-states.ts";
import { forwardedTo, viewJob } from "./job-view.ts";
import { knownHosts } from "./list-jobs.ts";
import type { Session } from "./session.ts";

export interface FoundJob {
  host: string;
  job: Job;
}

/**
 * Finds a job in all queues, or in that of `host`. A forwarded job is in two queues under one id; the one that does
 * the work is returned.
 * @throws {JobsError} `unknown-job`; `usage` for a number that several queues have assigned (BullMQ counts per
 *   queue)
 */
export async function findJob(session: Session, jobId: string, host?: string): Promise<FoundJob> {
  const found = await searchJob(session, jobId, host);
  if (found !== undefined) return found;
  throw new JobsError(
    "unknown-job",
    `no job ${jobId} in ${host === undefined ? "any queue" : `the queue of ${host}`}`,
    {
      hint: "mtjobs jobs lists jobs; finished ones are deleted after some days, but the area's history keeps them",
    },
  );
}

/** Does the same, but returns undefined if no queue has the job. @throws {JobsError} `usage`, as there */
export async function searchJob(
  session: Session,
  jobId: string,
  host?: string,
): Promise<FoundJob | undefined> {
  // A queue opened for an unknown host would stay open as long as the session.
  const hosts = (await knownHosts(session)).filter((name) => host === undefined || name === host);
  const found = await Promise.all(hosts.map((name) => jobOf(session, name, jobId)));
  const present = found.filter((each) => each !== undefined);
  if (present.length > 1 && isNumber(jobId)) {
    throw new JobsError("usage", `${present.map((each) => each.host).join(", ")} each have a job ${jobId}`, {
      hint: "choose one with --host NAME",
    });
  }
  return present.find(({ job }) => forwardedTo(job.returnvalue) === undefined) ?? present[0];
}

/** Also undefined for an id that is one of BullMQ's own keys, such as `meta`: its state is unknown. */
async function jobOf(session: Session, host: string, jobId: string): Promise<FoundJob | undefined> {
  const queue = session.queue(host);
  if ((await queue.getJobState(jobId)) === "unknown") return undefined;
  const job = await queue.getJob(jobId);
  return job === undefined ? undefined : { host, job };
}

/** Returns a job with its log. @throws {JobsError} `unknown-job` */
export async function reportJob(session: Session, jobId: string, at?: string): Promise<JobReport> {
  const { host, job } = await findJob(session, jobId, at);
  const state = await stateOf(job);
  // Read again: the job may have ended between the two calls, and `job` would lack its result.
  const fresh = (await session.queue(host).getJob(jobId)) ?? job;
  const { logs } = await session.queue(host).getJobLogs(jobId);
  return { ...viewJob(host, fresh, state), log: logs };
}

/** A job at one moment of being followed. */
export interface JobMoment extends Pick<FollowedJob, "log" | "from" | "waitsFor" | "served"> {
  view: JobView;
}

/** Returns a job with the lines of its log after the first `from`. @throws {JobsError} as `reportJob` */
export async function peekJob(
  session: Session,
  jobId: string,
  { from, host: at }: { from: number; host?: string | undefined },
): Promise<JobMoment> {
  const { redis, settings } = session;
  const { host, job } = await findJob(session, jobId, at);
  const state = await stateOf(job);
  const fresh = (await session.queue(host).getJob(jobId)) ?? job;
  const { logs, count } = await session.queue(host).getJobLogs(jobId, from);
  const view = viewJob(host, fresh, state);
  const waitsFor =
    view.state === "delayed" ? await readDeferral(redis, settings.prefix, { host, jobId }) : undefined;
  const hosts = await listHosts(redis, settings.prefix);
  return {
    view,
    log: logs,
    from: count,
    waitsFor: waitsFor?.toDocument() ?? null,
    served: hosts.some((record) => record.host === host && record.alive),
  };
}

async function stateOf(job: Job): Promise<QueueState> {
  const state = (await job.getState()) as QueueState | "unknown";
  if (state !== "unknown") return state;
  throw new JobsError("unknown-job", `job ${job.id} has just been removed`);
}

/**
 * Cancels a job: a waiting one is removed, a running one stops at its next batch, a finished one is unchanged. What it
 * moved stays moved. A forwarded job is followed to its new queue. The job's log says who cancelled it. @throws {JobsError} as `findJob`
 */
export async function cancelJob(
  session: Session,
  jobId: string,
  { host: at, requestedBy }: { host?: string | undefined; requestedBy: string },
): Promise<Cancelled> {
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
  // The job may be gone by now; it is cancelled in any case.
  if (outcome !== "finished")
    await session
      .queue(host)
      .addJobLog(jobId, `Cancelled by ${requestedBy}.`)
      .catch(() => {});
  const next = outcome === "finished" ? forwardedTo(job.returnvalue) : undefined;
  // `findJob` already follows a job forwarded under its own id.
  return next === undefined || next.jobId === jobId
    ? { jobId, host, outcome }
    : await cancelJob(session, next.jobId, { requestedBy });
}
