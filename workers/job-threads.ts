import type { Worker } from "node:worker_threads";
import { builtFile } from "../shared/built-file.ts";
import { JobsError, toJobsError } from "../shared/errors.ts";
import type { Progress } from "../shared/result.ts";
import { KeptThreads } from "./kept-threads.ts";
import type {
  ThreadCall,
  ThreadData,
  ThreadJobName,
  ThreadJobs,
  ThreadMessage,
  ThreadResult,
} from "./thread-protocol.ts";

export interface ThreadOptions {
  onLog?: (sentence: string) => void;
  onProgress?: (progress: Progress) => void;
  /** Aborted: the job stops at its next batch boundary; the reason should be a JobsError. */
  signal?: AbortSignal;
  /** Aborted: the thread is given up at once, whatever it is doing; the caller should end the process. */
  abandon?: AbortSignal;
}

/** Where the threads' code is. */
export function builtThreadUrl(): URL {
  return builtFile("./job-thread.js", import.meta.url);
}

function reasonOf(signal: AbortSignal): JobsError {
  return toJobsError(signal.reason);
}

/**
 * Threads that run jobs, so that this one stays free to renew locks while SQLite works. A thread that did its job is kept
 * for the next one; one whose job failed is not, for it may have left something open.
 */
export class JobThreads {
  readonly #kept: KeptThreads;

  /** @param url where the threads' code is; tests put their own job there */
  constructor(url: URL = builtThreadUrl()) {
    this.#kept = new KeptThreads(url, 1);
  }

  /**
   * Runs one job. Resolves or rejects (always with a JobsError) once its code has ended, so nothing touches the area
   * any more; only `abandon` rejects (`stopped`) while it may still be busy.
   */
  async run<Name extends ThreadJobName>(
    data: ThreadData<Name>,
    options: ThreadOptions = {},
  ): Promise<ThreadJobs[Name]["result"]> {
    const { signal, abandon } = options;
    if (signal?.aborted) throw reasonOf(signal);
    const thread = this.#kept.take();
    const stop = () => {
      if (signal !== undefined) call(thread, { type: "abort", error: reasonOf(signal).toDocument() });
    };
    let giveUp = () => {};
    const givenUp = new Promise<never>((_, reject) => {
      giveUp = () => {
        thread.unref();
        reject(new JobsError("stopped", "the job was given up in the middle of a step"));
      };
    });
    signal?.addEventListener("abort", stop);
    abandon?.addEventListener("abort", giveUp);
    try {
      order(thread, data);
      const result = await Promise.race([outcomeOf(thread, data.jobId, options), givenUp]);
      this.#kept.giveBack(thread);
      return result;
    } finally {
      signal?.removeEventListener("abort", stop);
      abandon?.removeEventListener("abort", giveUp);
    }
  }

  /** Ends the thread that waits for a job; one that is at work ends with its job. */
  close(): void {
    this.#kept.close();
  }
}

/** Gives a thread its job; one that cannot be told of it must not stay behind. */
function order(thread: Worker, data: ThreadData): void {
  try {
    call(thread, { type: "run", data });
  } catch (error) {
    void thread.terminate();
    throw toJobsError(error);
  }
}

function call(thread: Worker, message: ThreadCall): void {
  thread.postMessage(message);
}

/** Resolves when the job is done, rejects when the thread of a job that failed has ended. */
function outcomeOf(
  thread: Worker,
  jobId: string,
  { onLog, onProgress }: ThreadOptions,
): Promise<ThreadResult> {
  return new Promise((resolve, reject) => {
    let lastSentence = "";
    let failure: JobsError | undefined;
    thread.on("message", (message: ThreadMessage) => {
      if (message.type === "log") {
        lastSentence = message.sentence;
        onLog?.(message.sentence);
      } else if (message.type === "progress") onProgress?.(message.progress);
      else if (message.type === "result") resolve(message.result);
      else failure ??= errorOf(message);
    });
    thread.on("error", (error) => {
      failure ??= toJobsError(error);
    });
    thread.on("exit", (exitCode) => reject(failure ?? endedEarly(jobId, exitCode, lastSentence)));
  });
}

function errorOf({ error, stack }: Extract<ThreadMessage, { type: "error" }>): JobsError {
  const restored = JobsError.fromDocument(error);
  // Where it was thrown is in the thread's stack, not in this one's.
  if (stack !== undefined) restored.stack = stack;
  return restored;
}

function endedEarly(jobId: string, exitCode: number, lastSentence: string): JobsError {
  return new JobsError("internal", `the thread of ${jobId} ended without a result`, {
    hint: "run the job again: it goes on where it stopped",
    details: { exitCode, ...(lastSentence === "" ? {} : { lastSentence }) },
  });
}
