import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { JobContext } from "../area-db/job-context.ts";
import { reduce } from "../move/reduce.ts";
import { repair } from "../move/repair.ts";
import { restore } from "../move/restore.ts";
import { abortOnPause } from "./abort-on-pause.ts";
import type { ThreadJobName, ThreadJobs } from "./protocol.ts";
import type { JobTable } from "./serve-jobs.ts";

/** Migrations ignore the stop file: one that stopped half way would keep its area closed. */
const unlessPaused =
  <Payload extends { area: string }>(work: (payload: Payload, context: JobContext) => Promise<MoveResult>) =>
  (payload: Payload, context: JobContext) =>
    abortOnPause(payload.area, context, (pausable) => work(payload, pausable));

/** Rare jobs are loaded when they are called for; those of a migration bring the schemas that check rows. */
export const jobTable: JobTable = {
  reduce: async () => unlessPaused(reduce),
  restore: async () => unlessPaused(restore),
  purge: async () => unlessPaused((await import("../purge/purge.ts")).purge),
  import: async () => unlessPaused((await import("../purge/import.ts")).importRun),
  repair: async () => unlessPaused(repair),
  "migrate-step": async () => (await import("../migrate/steps/remote-step.ts")).runRemoteStep,
  "check-target": async () => (await import("../migrate/steps/check-target.ts")).checkTarget,
  "take-over": async () => (await import("../migrate/steps/take-over.ts")).beginTakeOver,
  switch: async () => (await import("../migrate/steps/switch.ts")).switchOver,
  "await-watch": async () => (await import("../migrate/steps/finish.ts")).awaitWatch,
  "reconcile-areas": async () => (await import("../migrate/steps/reconcile-areas.ts")).reconcileAreas,
};

/** Runs a job in this thread. Rejects with a JobsError, or with what SQLite or Node threw. */
export async function runJob<Name extends ThreadJobName>(
  name: Name,
  payload: ThreadJobs[Name]["payload"],
  context: JobContext,
): Promise<ThreadJobs[Name]["result"]> {
  const job = await jobTable[name]();
  return await job(payload, context);
}
