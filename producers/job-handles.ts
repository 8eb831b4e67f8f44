import type { JobResult } from "../shared/job-result.ts";
import type { MoveResult, Progress } from "../shared/result.ts";
import type { Enqueued } from "./enqueue.ts";
import type { Duration, ReduceOptions, RestoreOptions } from "./move-options.ts";
import type { InlineHooks } from "./run-inline.ts";

export interface ResultOptions {
  /** How long to wait at most. */
  timeout?: Duration;
  /** Aborted: stop waiting; the job goes on. */
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Sentences about what the job waits for or where it went. */
  onNote?: (sentence: string) => void;
}

/** A job that was enqueued. */
export interface QueuedJob<Result extends JobResult = MoveResult> extends Enqueued {
  /**
   * Follows the job to its end. @throws {JobsError} the job's own failure, or `timeout`, `interrupted`, `no-worker`,
   * `redis-unreachable`: then the job goes on
   */
  result(options?: ResultOptions): Promise<Result>;
}

/** One of many jobs that are asked for together: its kind, its area, and the options of the method of that name. */
export type ManyOptions =
  | ({ job: "reduce"; area: string } & ReduceOptions)
  | ({ job: "restore"; area: string } & RestoreOptions);

/** How a job in this process is watched and stopped; stopped by `signal`, its result rejects as `cancelled`. */
export interface InlineOptions extends InlineHooks {
  inline: true;
}

/** A job that runs in this process. */
export interface InlineJob {
  host: string;
  area: string;
  /** Its end. @throws {JobsError} */
  result(): Promise<MoveResult>;
}
