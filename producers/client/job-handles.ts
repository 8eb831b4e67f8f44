import type { MoveResult, Progress } from "../../shared/contract/move-result.ts";
import type { Enqueued, JobResult } from "../contract/job.ts";
import type { Duration, ReduceOptions, RestoreOptions } from "../jobs/options.ts";
import type { InlineHooks } from "../jobs/run-inline.ts";

export interface ResultOptions {
  /** How long to wait at most. */
  timeout?: Duration;
  /** Aborted: waiting ends; the job continues. */
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Receives sentences about what the job waits for or where it was forwarded. */
  onNote?: (sentence: string) => void;
}

export interface QueuedJob<Result extends JobResult = MoveResult> extends Enqueued {
  /**
   * Follows the job until it ends. @throws {JobsError} the job's own failure, or `timeout`, `interrupted`,
   * `no-worker`, `redis-unreachable`; then the job continues
   */
  result(options?: ResultOptions): Promise<Result>;
}

/** One of many jobs enqueued together: its kind, its area, and the options of the method of that name. */
export type ManyOptions =
  | ({ job: "reduce"; area: string } & ReduceOptions)
  | ({ job: "restore"; area: string } & RestoreOptions);

/** Watches and stops a job in this process; if `signal` stops it, its result rejects with `cancelled`. */
export interface InlineOptions extends InlineHooks {
  inline: true;
}

export interface InlineJob {
  host: string;
  area: string;
  /** Resolves when the job has ended. @throws {JobsError} */
  result(): Promise<MoveResult>;
}
