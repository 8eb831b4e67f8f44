import type { JobName, ReducePayload } from "../../shared/queue/payload.ts";
import type { MoveResult, Progress } from "../../shared/result.ts";
import type { Settings } from "../../shared/settings.ts";
import type { CliIo } from "./io.ts";

/** What `--inline` reports while it works. */
export interface InlineHooks {
  signal: AbortSignal;
  onLog(sentence: string): void;
  onProgress(progress: Progress): void;
}

/** Does a job in this process, without Redis. */
export type RunInline = (
  name: JobName,
  payload: ReducePayload,
  settings: Settings,
  hooks: InlineHooks,
) => Promise<MoveResult>;

/** What the commands need of the workers' side and of the process; the entry point brings it. */
export interface CliDeps {
  io: CliIo;
  version: string;
  /** Script that starts this command again as another process (the demo's worker). */
  commandPath: string;
  runInline: RunInline;
  /** Serves this host's queue until a signal; resolves when it has left. */
  runWorker(settings: Settings): Promise<unknown>;
}
