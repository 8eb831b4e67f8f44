import type { MigratePayload, MigrateStepPayload } from "../../shared/contract/migrate-payload.ts";
import type { MoveResult, Progress } from "../../shared/contract/move-result.ts";
import type { MovePayloads, ReducePayload } from "../../shared/contract/payload.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import type { TargetReport } from "../migrate/steps/check-target.ts";
import type { WatchOutcome } from "../migrate/steps/finish.ts";
import type { ReconcileAreasPayload, ReconcileAreasReport } from "../migrate/steps/reconcile-areas.ts";
import type { RemoteStepReport } from "../migrate/steps/remote-step.ts";
import type { LocalStepPayload, SwitchReport } from "../migrate/steps/switch.ts";
import type { TakeOverPayload } from "../migrate/steps/take-over.ts";

/** The jobs that a job thread runs, by name. */
export interface ThreadJobs {
  reduce: { payload: MovePayloads["reduce"]; result: MoveResult };
  restore: { payload: MovePayloads["restore"]; result: MoveResult };
  purge: { payload: MovePayloads["purge"]; result: MoveResult };
  import: { payload: MovePayloads["import"]; result: MoveResult };
  /** Run in the process that requests it, never enqueued. */
  repair: { payload: ReducePayload; result: MoveResult };
  "migrate-step": { payload: MigrateStepPayload; result: RemoteStepReport };
  // Parts of the job `migrate`, which itself runs on the worker's main thread.
  "check-target": { payload: MigratePayload; result: TargetReport };
  "take-over": { payload: TakeOverPayload; result: { token: number } };
  switch: { payload: LocalStepPayload; result: SwitchReport };
  "reconcile-areas": { payload: ReconcileAreasPayload; result: ReconcileAreasReport };
  "await-watch": { payload: LocalStepPayload; result: WatchOutcome };
}
export type ThreadJobName = keyof ThreadJobs;
export type ThreadResult = ThreadJobs[ThreadJobName]["result"];

/** A job as it is sent to its thread. */
export interface ThreadData<Name extends ThreadJobName = ThreadJobName> {
  name: Name;
  payload: ThreadJobs[Name]["payload"];
  jobId: string;
  settings: Settings;
  /** See JobContext; default false. */
  triedAgain?: boolean;
  /** See JobContext; default false. */
  inline?: boolean;
  /** See JobContext. */
  settleMs?: number;
}

/** What a job thread serves: each job under its own name. */
export type JobCalls = {
  [Name in ThreadJobName]: (data: ThreadData<Name>) => ThreadJobs[Name]["result"];
};

/** What a job tells while it runs. */
export interface JobBack {
  log(sentence: string): void;
  progress(progress: Progress): void;
}
