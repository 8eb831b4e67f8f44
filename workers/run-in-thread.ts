import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { JobsError, toJobsError } from "../shared/errors.ts";
import type { Progress } from "../shared/result.ts";
import type {
  AbortMessage,
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
  /** Where the thread's code is; tests put their own job there. */
  threadUrl?: URL;
}

/** The built thread, also when this file itself is run from its source (Node 20 runs no TypeScript in threads). */
export function builtThreadUrl(): URL {
  const here = import.meta.url;
  return here.endsWith(".ts")
    ? new URL("../dist/workers/job-thread.js", here)
    : new URL("./job-thread.js", here);
}

function reasonOf(signal: AbortSignal): JobsError {
  return toJobsError(signal.reason);
}

interface Outcome {
  resolve(result: ThreadResult): void;
  reject(error: JobsError): void;
}

function listen(thread: Worker, data: ThreadData, options: ThreadOptions, outcome: Outcome): void {
  let lastSentence = "";
  thread.on("message", (message: ThreadMessage) => {
    if (message.type === "log") {
      lastSentence = message.sentence;
      options.onLog?.(message.sentence);
    } else if (message.type === "progress") options.onProgress?.(message.progress);
    else if (message.type === "result") outcome.resolve(message.result);
    else {
      const error = JobsError.fromDocument(message.error);
      // Where it was thrown is in the thread's stack, not in this one's.
      if (message.stack !== undefined) error.stack = message.stack;
      outcome.reject(error);
    }
  });
  thread.on("error", (error) => outcome.reject(toJobsError(error)));
  thread.on("exit", (exitCode) =>
    outcome.reject(
      new JobsError("internal", `the thread of ${data.jobId} ended without a result`, {
        hint: "run the job again: it goes on where it stopped",
        details: { exitCode, ...(lastSentence === "" ? {} : { lastSentence }) },
      }),
    ),
  );
}

/**
 * Runs one job in a thread of its own, so that this one stays free to renew locks while SQLite works.
 * Resolves or rejects (always with a JobsError) once the thread has ended, so nothing touches the area
 * any more; only `abandon` rejects (`stopped`) while it may still be busy.
 */
export function runInThread<Name extends ThreadJobName>(
  data: ThreadData<Name>,
  options: ThreadOptions = {},
): Promise<ThreadJobs[Name]["result"]> {
  const url = options.threadUrl ?? builtThreadUrl();
  const { signal, abandon } = options;
  if (signal?.aborted) return Promise.reject(reasonOf(signal));
  if (!existsSync(fileURLToPath(url))) {
    return Promise.reject(
      new JobsError("internal", `${fileURLToPath(url)} is missing`, { hint: "run: npm run build" }),
    );
  }
  return new Promise((resolve, reject) => {
    const thread = new Worker(url, { workerData: data });
    let settle: (() => void) | undefined;
    const decide = (settlement: () => void) => {
      settle ??= settlement;
    };
    listen(thread, data, options, {
      resolve: (result) => decide(() => resolve(result)),
      reject: (error) => decide(() => reject(error)),
    });
    const onAbort = () => {
      if (signal === undefined) return;
      const message: AbortMessage = { type: "abort", error: reasonOf(signal).toDocument() };
      thread.postMessage(message);
    };
    const onAbandon = () => {
      thread.unref();
      reject(new JobsError("stopped", "the job was given up in the middle of a step"));
    };
    signal?.addEventListener("abort", onAbort);
    abandon?.addEventListener("abort", onAbandon);
    thread.on("exit", () => {
      signal?.removeEventListener("abort", onAbort);
      abandon?.removeEventListener("abort", onAbandon);
      settle?.();
    });
  });
}
