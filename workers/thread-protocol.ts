import type { ErrorDocument } from "../shared/errors.ts";
import type { MovePayloads, ReducePayload } from "../shared/queue/payload.ts";
import type { MoveResult, Progress } from "../shared/result.ts";
import type { Settings } from "../shared/settings.ts";

/** By name: what a job's thread is given, and what comes of it. */
export interface ThreadJobs {
  reduce: { payload: MovePayloads["reduce"]; result: MoveResult };
  restore: { payload: MovePayloads["restore"]; result: MoveResult };
  /** Done in the process that asks for it, and never enqueued. */
  repair: { payload: ReducePayload; result: MoveResult };
}
export type ThreadJobName = keyof ThreadJobs;
export type ThreadResult = ThreadJobs[ThreadJobName]["result"];

/** What a job's thread is started with. */
export interface ThreadData<Name extends ThreadJobName = ThreadJobName> {
  name: Name;
  payload: ThreadJobs[Name]["payload"];
  jobId: string;
  settings: Settings;
  /** See JobContext; false where it is missing. */
  triedAgain?: boolean;
}

/** To the thread: stop at the next batch boundary, for this reason. */
export interface AbortMessage {
  type: "abort";
  error: ErrorDocument;
}

/** From the thread. After `result` or `error` it ends. */
export type ThreadMessage =
  | { type: "log"; sentence: string }
  | { type: "progress"; progress: Progress }
  | { type: "result"; result: ThreadResult }
  | { type: "error"; error: ErrorDocument; stack?: string };
