import type { Progress } from "../../shared/contract/move-result.ts";
import { JobsError, toJobsError } from "../../shared/errors.ts";
import { builtFile } from "../../shared/process.ts";
import { ThreadPool } from "../threads/thread-pool.ts";
import type { RpcThread } from "../threads/thread-rpc.ts";
import type { JobBack, JobCalls, ThreadData, ThreadJobName, ThreadJobs } from "./protocol.ts";

export interface ThreadOptions {
  onLog?: (sentence: string) => void;
  onProgress?: (progress: Progress) => void;
  /** Aborted: the job stops at its next batch; the reason should be a JobsError. */
  signal?: AbortSignal;
  /** Aborted: the thread is abandoned immediately; the caller should end the process. */
  abandon?: AbortSignal;
}

export function builtThreadUrl(): URL {
  return builtFile("workers/job-thread/job-thread.js");
}

/** Threads that run jobs: SQLite blocks the thread that calls it, and the main thread must renew locks. */
export class JobThreads {
  readonly #pool: ThreadPool<JobCalls, JobBack>;

  /** @param url of the threads' code; tests run their own job there */
  constructor(url: URL = builtThreadUrl()) {
    this.#pool = new ThreadPool(url, "job", 1);
  }

  /**
   * Runs one job. Resolves or rejects (always with a JobsError) when its code has ended and no longer touches the area;
   * only `abandon` rejects (`stopped`) while it may still run.
   */
  async run<Name extends ThreadJobName>(
    data: ThreadData<Name>,
    { onLog, onProgress, signal, abandon }: ThreadOptions = {},
  ): Promise<ThreadJobs[Name]["result"]> {
    if (signal?.aborted) throw toJobsError(signal.reason);
    const thread = this.#pool.take();
    let lastSentence: string | undefined;
    let giveUp = () => {};
    const abandoned = new Promise<never>((_, reject) => {
      giveUp = () => reject(new JobsError("stopped", "the job was abandoned in the middle of a step"));
    });
    abandon?.addEventListener("abort", giveUp);
    try {
      const log = (sentence: string) => {
        lastSentence = sentence;
        onLog?.(sentence);
      };
      const back = { log, progress: onProgress ?? (() => {}) };
      return await Promise.race([this.#call(thread, data, { signal, back }), abandoned]);
    } catch (error) {
      throw withLastSentence(toJobsError(error), lastSentence);
    } finally {
      abandon?.removeEventListener("abort", giveUp);
      if (abandon?.aborted) thread.unref();
    }
  }

  async #call<Name extends ThreadJobName>(
    thread: RpcThread<JobCalls, JobBack>,
    data: ThreadData<Name>,
    options: Parameters<typeof thread.call>[2],
  ): Promise<ThreadJobs[Name]["result"]> {
    try {
      return (await thread.call(data.name, data as never, options)) as ThreadJobs[Name]["result"];
    } finally {
      await this.#pool.giveBack(thread);
    }
  }

  /** Ends the idle thread; one at work ends with its job. */
  close(): void {
    this.#pool.close();
  }
}

/** Adds the job's last log line to the error of a thread that ended without a result. */
function withLastSentence(error: JobsError, lastSentence: string | undefined): JobsError {
  if (error.details?.exitCode === undefined || lastSentence === undefined) return error;
  const { code, message, hint, details } = error;
  return new JobsError(code, message, {
    hint,
    details: { ...details, lastSentence },
  });
}
