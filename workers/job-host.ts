import type { Redis } from "ioredis";
import type { Logger } from "../shared/log.ts";
import type { Settings } from "../shared/settings.ts";
import type { AreaLocks } from "./area-lock.ts";
import type { JobThreads } from "./job-threads.ts";

/** What a job needs of the worker that took it. */
export interface JobHost {
  settings: Settings;
  /** What a megatest.config may read, as the job's own thread sees it. */
  env: NodeJS.ProcessEnv;
  log: Logger;
  /** Fail-fast; for forwarding and for requests to cancel. */
  redis: Redis;
  locks: AreaLocks;
  /** Aborted (`stopped`) when the worker leaves. */
  leaving: AbortSignal;
  /** Aborted when the worker can wait no longer for a step to end. */
  abandon: AbortSignal;
  /** By job id, while it runs: aborting it stops the job at its next batch. */
  running: Map<string, AbortController>;
  /** By job id: how often it was put off because its area is held, and what was said about it. */
  waits: Map<string, { count: number; said: string }>;
  threads: JobThreads;
  /** See JobContext. */
  settleMs?: number;
  /** Told of every area that a job names. */
  onArea?: (area: string) => void;
}
