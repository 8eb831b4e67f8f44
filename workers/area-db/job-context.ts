import type { Progress } from "../../shared/contract/move-result.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import type { FailpointName } from "./failpoint-names.ts";

/**
 * A job's environment, provided by a worker's thread or `--inline`. A job does not use BullMQ, Redis or the process.
 */
export interface JobContext {
  jobId: string;
  settings: Settings;
  /** Environment for `#{getenv …}` in a megatest.config. */
  env: NodeJS.ProcessEnv;
  /** True if a `retriable` failure is retried under the same id, so the job is not finished yet. */
  triedAgain?: boolean;
  /** True if no queue has the job: one that a stop file ends does not go on later under its id. */
  inline?: boolean;
  /** How long an old home watches after a migration, ms; default 75 s. */
  settleMs?: number;
  /** Aborted with a JobsError: `cancelled`, `stopped` or `lost-lease`. Checked between batches. */
  signal: AbortSignal;
  /** Adds a sentence to the job's log. */
  log(sentence: string): void;
  progress(progress: Progress): void;
  /** Marks a step boundary, for tests. See "What if it dies here" in docs/moving.md. */
  failpoint(name: FailpointName): void;
}
