import { toJobsError } from "../../shared/errors.ts";
import type { AreaStatus, AreaStatusWithJobs } from "../contract/area.ts";
import type { AutomaticStatus } from "../contract/fleet.ts";
import type { JobView } from "../contract/job.ts";
import { isUnfinished, jobStates } from "../contract/job-states.ts";
import { listJobs } from "../jobs/list-jobs.ts";
import type { Session } from "../jobs/session.ts";
import { automaticStatus } from "../schedules/schedule-status.ts";

export interface Queued {
  /** Only unfinished jobs. */
  jobs: JobView[];
  automatic: AutomaticStatus[];
}

export async function readQueues(session: Session): Promise<Queued> {
  const [jobs, automatic] = await Promise.all([
    listJobs(session, { states: jobStates.filter(isUnfinished), all: true }),
    automaticStatus(session),
  ]);
  return { jobs, automatic };
}

/**
 * Combines the two results, which are awaited together: an unreachable Redis must neither delay nor prevent the
 * report on the area. @throws what `statusRead` rejects with
 */
export async function areaStatusWithJobs(
  statusRead: Promise<AreaStatus>,
  queuesRead: Promise<Queued>,
): Promise<AreaStatusWithJobs> {
  const [status, queued] = await Promise.allSettled([statusRead, queuesRead]);
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
