import type { ErrorDocument } from "../shared/errors.ts";
import type { JobName, JobPayload } from "../shared/queue/payload.ts";
import type { MoveResult, Progress } from "../shared/result.ts";
import type { Settings } from "../shared/settings.ts";

/** What runs in a job's thread; a repair is done in the process that asks for it, and never enqueued. */
export type ThreadJobName = JobName | "repair";

/** What a job's thread is started with. */
export interface ThreadData {
  name: ThreadJobName;
  payload: JobPayload;
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
  | { type: "result"; result: MoveResult }
  | { type: "error"; error: ErrorDocument; stack?: string };
