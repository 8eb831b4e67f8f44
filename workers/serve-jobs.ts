import { type MessagePort, parentPort } from "node:worker_threads";
import { JobsError, toJobsError } from "../shared/errors.ts";
import { failpointFromEnvironment } from "../shared/failpoint.ts";
import type { JobContext } from "../shared/job-context.ts";
import type { Progress } from "../shared/result.ts";
import type { ThreadCall, ThreadData, ThreadJobName, ThreadJobs, ThreadMessage } from "./thread-protocol.ts";

/** The code of a job. */
export type RunJob = <Name extends ThreadJobName>(
  name: Name,
  payload: ThreadJobs[Name]["payload"],
  context: JobContext,
) => Promise<ThreadJobs[Name]["result"]>;

/** Progress is passed on at most this often, in milliseconds; a change of phase at once. */
const progressInterval = 300;

function throttle(send: (progress: Progress) => void): { report(progress: Progress): void; flush(): void } {
  let last: Progress | undefined;
  let waiting: Progress | undefined;
  let sentAt = Number.NEGATIVE_INFINITY;
  const pass = (progress: Progress) => {
    last = progress;
    waiting = undefined;
    sentAt = performance.now();
    send(progress);
  };
  return {
    report(progress) {
      // A job may go on with one object and change it: keep a copy of what it said now.
      const copy = structuredClone(progress);
      if (copy.phase !== last?.phase || performance.now() - sentAt >= progressInterval) pass(copy);
      else waiting = copy;
    },
    flush() {
      if (waiting !== undefined) pass(waiting);
    },
  };
}

/** The whole life of a jobs' thread: runs the jobs it is given, one after the other, and reports to the parent. */
export function serveJobs(runJob: RunJob, env: NodeJS.ProcessEnv): void {
  if (parentPort === null) throw new TypeError("this file is started as a thread by a worker");
  const port = parentPort;
  let abort = new AbortController();
  port.on("message", (call: ThreadCall) => {
    if (call.type === "abort") abort.abort(JobsError.fromDocument(call.error));
    else {
      abort = new AbortController();
      void serve(runJob, call.data, { port, env, signal: abort.signal });
    }
  });
}

async function serve(
  runJob: RunJob,
  { name, payload, jobId, settings, triedAgain = false, settleMs }: ThreadData,
  { port, env, signal }: { port: MessagePort; env: NodeJS.ProcessEnv; signal: AbortSignal },
): Promise<void> {
  const post = (message: ThreadMessage) => port.postMessage(message);
  const progress = throttle((latest) => post({ type: "progress", progress: latest }));
  try {
    const result = await runJob(name, payload, {
      jobId,
      settings,
      env,
      triedAgain,
      ...(settleMs === undefined ? {} : { settleMs }),
      signal,
      log: (sentence) => post({ type: "log", sentence }),
      progress: (latest) => progress.report(latest),
      failpoint: failpointFromEnvironment(env.MTJOBS_FAILPOINT),
    });
    progress.flush();
    post({ type: "result", result });
  } catch (thrown) {
    progress.flush();
    const error = toJobsError(thrown);
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    post({ type: "error", error: error.toDocument(), ...(stack === undefined ? {} : { stack }) });
    // The open port is what keeps the thread alive.
    port.close();
  }
}
