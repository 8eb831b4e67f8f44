import type { JobStep } from "./job-steps.ts";
import type { Progress } from "./result.ts";
import type { Settings } from "./settings.ts";

/**
 * What a job's code is given by whoever runs it: a worker's thread or `--inline`.
 * A job never touches BullMQ, Redis or the process.
 */
export interface JobContext {
  jobId: string;
  settings: Settings;
  /** What `#{getenv …}` in a megatest.config sees. */
  env: NodeJS.ProcessEnv;
  /** True where a failure that may pass (`retriable`) is tried again under the same id; such a job is not finished yet. */
  triedAgain?: boolean;
  /** How long an old home watches after a migration, ms; 75 s where it is missing. */
  settleMs?: number;
  /** Aborted with a JobsError as its reason: `cancelled`, `stopped` or `lost-lease`. Checked between batches. */
  signal: AbortSignal;
  /** One plain sentence of the job's story. */
  log(sentence: string): void;
  progress(progress: Progress): void;
  /**
   * Called by name at each step boundary; tests stop or kill the process there.
   * @see docs/architecture.md, "What if it dies here"
   */
  failpoint(step: JobStep): void;
}
