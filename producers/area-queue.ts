import { type ErrorDocument, toJobsError } from "../shared/errors.ts";
import type { AreaStatus } from "./area-status.ts";
import { type AutomaticStatus, automaticStatus } from "./automatic-status.ts";
import { isUnfinished, type JobView, jobStates } from "./job-view.ts";
import { listJobs } from "./list-jobs.ts";
import type { Session } from "./session.ts";

/** What the queues hold. */
export interface Queued {
  /** The unfinished ones. */
  jobs: JobView[];
  automatic: AutomaticStatus[];
}

/** What `status AREA` tells: the area as its files say, and what the queues hold for it, or why they could not be asked. */
export type WholeAreaStatus = AreaStatus &
  ((Queued & { queueProblem: null }) | { jobs: null; automatic: null; queueProblem: ErrorDocument });

/** What all queues hold, of every area. */
export async function readQueues(session: Session): Promise<Queued> {
  const [jobs, automatic] = await Promise.all([
    listJobs(session, { states: jobStates.filter(isUnfinished) }),
    automaticStatus(session),
  ]);
  return { jobs, automatic };
}

/**
 * Puts together what was asked side by side: a Redis that is away must not add its waiting to a slow file system's,
 * nor keep an area from being told of. @throws what `look` rejects with
 */
export async function wholeStatus(
  look: Promise<AreaStatus>,
  asking: Promise<Queued>,
): Promise<WholeAreaStatus> {
  const [status, queued] = await Promise.allSettled([look, asking]);
  if (status.status === "rejected") throw status.reason;
  const { area: path } = status.value;
  if (queued.status === "rejected") {
    const queueProblem = toJobsError(queued.reason).toDocument();
    return { ...status.value, jobs: null, automatic: null, queueProblem };
  }
  const { jobs, automatic } = queued.value;
  return {
    ...status.value,
    jobs: jobs.filter(({ area }) => area === path),
    automatic: automatic.filter(({ area }) => area === path),
    queueProblem: null,
  };
}
