import type { JobContext } from "../shared/job-context.ts";
import type { JobName, JobPayload, JobPayloads } from "../shared/queue/payload.ts";
import type { MoveResult } from "../shared/result.ts";
import { reduce } from "./move/reduce.ts";
import { restore } from "./move/restore.ts";

type Jobs = { [Name in JobName]: (payload: JobPayloads[Name], context: JobContext) => Promise<MoveResult> };

/** The code of each job, by its name in the queue. */
const jobs: Jobs = { reduce, restore };

/** Does a job in this thread. Rejects with a JobsError, or with what SQLite or Node threw. */
export function runJob(name: JobName, payload: JobPayload, context: JobContext): Promise<MoveResult> {
  const job = jobs[name] as (payload: JobPayload, context: JobContext) => Promise<MoveResult>;
  return job(payload, context);
}
