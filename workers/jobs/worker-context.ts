import type { Redis } from "ioredis";
import type { Logger } from "../../shared/settings/log.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import type { JobThreads } from "../job-thread/job-threads.ts";
import type { AreaLocks } from "../locks/area-locks.ts";

/** What a job needs from its worker. */
export interface WorkerContext {
  settings: Settings;
  /** Environment for a megatest.config, the same as in the job's thread. */
  env: NodeJS.ProcessEnv;
  log: Logger;
  /** Fail-fast; for forwarding and cancel requests. */
  redis: Redis;
  locks: AreaLocks;
  /** Aborted (`stopped`) when the worker stops. */
  leaving: AbortSignal;
  /** Aborted when the worker stops waiting for a step to end. */
  abandon: AbortSignal;
  /** By job id; aborting it stops the job at its next batch. */
  running: Map<string, AbortController>;
  /** By job id: how often it was postponed because its area is held, and the last message about it. */
  waits: Map<string, { count: number; message: string }>;
  threads: JobThreads;
  /** See JobContext. */
  settleMs?: number;
  /** Called with the area of every job. */
  onArea?: (area: string) => void;
}
