import type { JobContext } from "../shared/job-context.ts";
import type { JobName, JobPayload, JobPayloads } from "../shared/queue/payload.ts";
import type { MoveResult } from "../shared/result.ts";
import { reduce } from "./move/reduce.ts";
import { repair } from "./move/repair.ts";
import { restore } from "./move/restore.ts";
import type { ThreadJobName } from "./thread-protocol.ts";

type Job<Payload> = (payload: Payload, context: JobContext) => Promise<MoveResult>;

type Jobs = { [Name in JobName]: Job<JobPayloads[Name]> } & { repair: Job<JobPayloads["reduce"]> };

const jobs: Jobs = { reduce, restore, repair };

/** Does a job in this thread. Rejects with a JobsError, or with what SQLite or Node threw. */
export function runJob(name: ThreadJobName, payload: JobPayload, context: JobContext): Promise<MoveResult> {
  return (jobs[name] as Job<JobPayload>)(payload, context);
}
