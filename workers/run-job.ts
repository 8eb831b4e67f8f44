import type { JobContext } from "../shared/job-context.ts";
import type { MoveResult } from "../shared/result.ts";
import { heedPause } from "./heed-pause.ts";
import { reduce } from "./move/reduce.ts";
import { repair } from "./move/repair.ts";
import { restore } from "./move/restore.ts";
import type { ThreadJobName, ThreadJobs } from "./thread-protocol.ts";

type JobOf<Name extends ThreadJobName> = (
  payload: ThreadJobs[Name]["payload"],
  context: JobContext,
) => Promise<ThreadJobs[Name]["result"]>;

/** Migrations go by no stop file: one that stops half way keeps its area closed. */
const unlessPaused =
  <Payload extends { area: string }>(work: (payload: Payload, context: JobContext) => Promise<MoveResult>) =>
  (payload: Payload, context: JobContext) =>
    heedPause(payload.area, context, (held) => work(payload, held));

/** A migration's parts are loaded once they are asked for, with the schemas they check rows by: few jobs need them. */
const jobs: { [Name in ThreadJobName]: () => Promise<JobOf<Name>> } = {
  reduce: async () => unlessPaused(reduce),
  restore: async () => unlessPaused(restore),
  repair: async () => unlessPaused(repair),
  "migrate-step": async () => (await import("./migrate/do-step.ts")).doStep,
  "migrate-look": async () => (await import("./migrate/look.ts")).look,
  "migrate-take-over": async () => (await import("./migrate/take-over.ts")).beginTakeOver,
  "migrate-switch": async () => (await import("./migrate/switch.ts")).switchOver,
  "migrate-oversee": async () => (await import("./migrate/oversee.ts")).oversee,
  round: async () => (await import("./migrate/round.ts")).goRound,
};

/** Does a job in this thread. Rejects with a JobsError, or with what SQLite or Node threw. */
export async function runJob<Name extends ThreadJobName>(
  name: Name,
  payload: ThreadJobs[Name]["payload"],
  context: JobContext,
): Promise<ThreadJobs[Name]["result"]> {
  const job = await jobs[name]();
  return await job(payload, context);
}
