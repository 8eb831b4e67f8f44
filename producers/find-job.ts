import type { Job } from "bullmq";
import { JobsError } from "../shared/errors.ts";
import { isNumber } from "../shared/queue/names.ts";
import { knownHosts } from "./hosts.ts";
import { forwardedTo, type JobView, type QueueState, viewJob } from "./job-view.ts";
import type { Session } from "./session.ts";

export interface FoundJob {
  host: string;
  job: Job;
}

/**
 * Looks for a job in every host's queue, or in that of `host` alone. A job that was forwarded is in two queues under one
 * id: found is the one that does the work.
 * @throws {JobsError} `unknown-job`; `usage` for the number of several jobs, which BullMQ counts for each host anew
 */
export async function findJob(session: Session, jobId: string, host?: string): Promise<FoundJob> {
  const found = await lookForJob(session, jobId, host);
  if (found !== undefined) return found;
  throw new JobsError(
    "unknown-job",
    `no job ${jobId} in ${host === undefined ? "any queue" : `the queue of ${host}`}`,
    {
      hint: "mtjobs jobs lists them; finished jobs are kept for some days only, the area's history for good",
    },
  );
}

/** As `findJob`; undefined where no queue has the job. @throws {JobsError} `usage`, as there */
export async function lookForJob(
  session: Session,
  jobId: string,
  host?: string,
): Promise<FoundJob | undefined> {
  // A queue opened for a host that nobody knows would stay open as long as the session.
  const hosts = (await knownHosts(session)).filter((name) => host === undefined || name === host);
  const found = await Promise.all(hosts.map((name) => jobOf(session, name, jobId)));
  const present = found.filter((each) => each !== undefined);
  if (present.length > 1 && isNumber(jobId)) {
    throw new JobsError("usage", `${present.map((each) => each.host).join(", ")} each have a job ${jobId}`, {
      hint: "say which: --host NAME",
    });
  }
  return present.find(({ job }) => forwardedTo(job.returnvalue) === undefined) ?? present[0];
}

/** Undefined also for an id that is the name of one of BullMQ's own keys, such as `meta`: no state has that. */
async function jobOf(session: Session, host: string, jobId: string): Promise<FoundJob | undefined> {
  const queue = session.queue(host);
  if ((await queue.getJobState(jobId)) === "unknown") return undefined;
  const job = await queue.getJob(jobId);
  return job === undefined ? undefined : { host, job };
}

/** One job with the lines of its log. */
export interface JobReport extends JobView {
  log: string[];
}

/** What is known of one job. @throws {JobsError} `unknown-job` */
export async function reportJob(session: Session, jobId: string, at?: string): Promise<JobReport> {
  const { host, job } = await findJob(session, jobId, at);
  const state = (await job.getState()) as QueueState | "unknown";
  if (state === "unknown") {
    throw new JobsError("unknown-job", `job ${jobId} has just been removed`);
  }
  // Read again: between the two calls it may have ended, and its result would be missing.
  const fresh = (await session.queue(host).getJob(jobId)) ?? job;
  const { logs } = await session.queue(host).getJobLogs(jobId);
  return { ...viewJob(host, fresh, state), log: logs };
}
