import type { ErrorDocument } from "../shared/errors.ts";
import type { MigratePayload, MigrateStepPayload } from "../shared/queue/migrate-payload.ts";
import type { MovePayloads, ReducePayload } from "../shared/queue/payload.ts";
import type { MoveResult, Progress } from "../shared/result.ts";
import type { Settings } from "../shared/settings.ts";
import type { StepReport } from "./migrate/do-step.ts";
import type { LookReport } from "./migrate/look.ts";
import type { OverseeReport } from "./migrate/oversee.ts";
import type { RoundPayload, RoundReport } from "./migrate/round.ts";
import type { PartPayload, SwitchReport } from "./migrate/switch.ts";
import type { TakeOverPayload } from "./migrate/take-over.ts";

/** By name: what a job's thread is given, and what comes of it. */
export interface ThreadJobs {
  reduce: { payload: MovePayloads["reduce"]; result: MoveResult };
  restore: { payload: MovePayloads["restore"]; result: MoveResult };
  /** Done in the process that asks for it, and never enqueued. */
  repair: { payload: ReducePayload; result: MoveResult };
  "migrate-step": { payload: MigrateStepPayload; result: StepReport };
  // The parts of the job `migrate`, which itself runs on the worker's main thread.
  "migrate-look": { payload: MigratePayload; result: LookReport };
  "migrate-take-over": { payload: TakeOverPayload; result: { token: number } };
  "migrate-switch": { payload: PartPayload; result: SwitchReport };
  round: { payload: RoundPayload; result: RoundReport };
  "migrate-oversee": { payload: PartPayload; result: OverseeReport };
}
export type ThreadJobName = keyof ThreadJobs;
export type ThreadResult = ThreadJobs[ThreadJobName]["result"];

/** A job, as its thread is given it. */
export interface ThreadData<Name extends ThreadJobName = ThreadJobName> {
  name: Name;
  payload: ThreadJobs[Name]["payload"];
  jobId: string;
  settings: Settings;
  /** See JobContext; false where it is missing. */
  triedAgain?: boolean;
  /** See JobContext. */
  settleMs?: number;
}

/** To the thread: do a job, one at a time; stop it at its next batch boundary, for this reason. */
export type ThreadCall = { type: "run"; data: ThreadData } | { type: "abort"; error: ErrorDocument };

/** From the thread. After `error` it ends. */
export type ThreadMessage =
  | { type: "log"; sentence: string }
  | { type: "progress"; progress: Progress }
  | { type: "result"; result: ThreadResult }
  | { type: "error"; error: ErrorDocument; stack?: string };
