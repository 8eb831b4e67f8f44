import type { JobContext } from "../shared/job-context.ts";
import { doStep } from "./migrate/do-step.ts";
import { look } from "./migrate/look.ts";
import { oversee } from "./migrate/oversee.ts";
import { goRound } from "./migrate/round.ts";
import { switchOver } from "./migrate/switch.ts";
import { beginTakeOver } from "./migrate/take-over.ts";
import { reduce } from "./move/reduce.ts";
import { repair } from "./move/repair.ts";
import { restore } from "./move/restore.ts";
import type { ThreadJobName, ThreadJobs } from "./thread-protocol.ts";

type JobOf<Name extends ThreadJobName> = (
  payload: ThreadJobs[Name]["payload"],
  context: JobContext,
) => Promise<ThreadJobs[Name]["result"]>;

const jobs: { [Name in ThreadJobName]: JobOf<Name> } = {
  reduce,
  restore,
  repair,
  "migrate-step": doStep,
  "migrate-look": look,
  "migrate-take-over": beginTakeOver,
  "migrate-switch": switchOver,
  "migrate-oversee": oversee,
  round: goRound,
};

/** Does a job in this thread. Rejects with a JobsError, or with what SQLite or Node threw. */
export function runJob<Name extends ThreadJobName>(
  name: Name,
  payload: ThreadJobs[Name]["payload"],
  context: JobContext,
): Promise<ThreadJobs[Name]["result"]> {
  return jobs[name](payload, context);
}
