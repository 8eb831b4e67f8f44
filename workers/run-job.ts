import type { JobContext } from "../shared/job-context.ts";
import { reduce } from "./move/reduce.ts";
import { repair } from "./move/repair.ts";
import { restore } from "./move/restore.ts";
import type { ThreadJobName, ThreadJobs } from "./thread-protocol.ts";

type JobOf<Name extends ThreadJobName> = (
  payload: ThreadJobs[Name]["payload"],
  context: JobContext,
) => Promise<ThreadJobs[Name]["result"]>;

const jobs: { [Name in ThreadJobName]: JobOf<Name> } = { reduce, restore, repair };

/** Does a job in this thread. Rejects with a JobsError, or with what SQLite or Node threw. */
export function runJob<Name extends ThreadJobName>(
  name: Name,
  payload: ThreadJobs[Name]["payload"],
  context: JobContext,
): Promise<ThreadJobs[Name]["result"]> {
  return jobs[name](payload, context);
}
