import type { JobContext } from "../shared/job-context.ts";
import type { JobName, ReducePayload } from "../shared/queue/payload.ts";
import type { MoveResult } from "../shared/result.ts";
import { reduce } from "./move/reduce.ts";

/** The code of each job, by its name in the queue. */
const jobs: Record<JobName, (payload: ReducePayload, context: JobContext) => Promise<MoveResult>> = {
  reduce,
};

/** Does a job in this thread. Rejects with a JobsError, or with what SQLite or Node threw. */
export function runJob(name: JobName, payload: ReducePayload, context: JobContext): Promise<MoveResult> {
  return jobs[name](payload, context);
}
