import type { Progress } from "../../shared/contract/move-result.ts";
import { failpointFromEnvironment } from "../area-db/failpoint.ts";
import type { JobContext } from "../area-db/job-context.ts";
import { type Handlers, serveCalls, type ThreadCall } from "../threads/thread-rpc.ts";
import type { JobBack, JobCalls, ThreadData, ThreadJobName, ThreadJobs } from "./protocol.ts";

/** The code of a job. */
export type JobFunction<Name extends ThreadJobName> = (
  payload: ThreadJobs[Name]["payload"],
  context: JobContext,
) => Promise<ThreadJobs[Name]["result"]>;

/** The code of each job; a function that loads it when it is called for. */
export type JobTable = { [Name in ThreadJobName]: () => Promise<JobFunction<Name>> };

/** Least time between two progress messages of one phase, ms. */
const progressIntervalMs = 300;

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
      // The job may change the object later.
      const copy = structuredClone(progress);
      if (copy.phase !== last?.phase || performance.now() - sentAt >= progressIntervalMs) pass(copy);
      else waiting = copy;
    },
    flush() {
      if (waiting !== undefined) pass(waiting);
    },
  };
}

/** Runs the jobs that the worker sends to this thread. */
export function serveJobs(jobs: JobTable, env: NodeJS.ProcessEnv): void {
  const names = Object.keys(jobs) as ThreadJobName[];
  const handlers = names.map((name) => [
    name,
    async (data: ThreadData, call: ThreadCall<JobBack>) => await runJob(jobs, data, call, env),
  ]);
  serveCalls<JobCalls, JobBack>(Object.fromEntries(handlers) as Handlers<JobCalls, JobBack>);
}

async function runJob<Name extends ThreadJobName>(
  jobs: JobTable,
  { name, payload, triedAgain = false, ...given }: ThreadData<Name>,
  { signal, tell }: ThreadCall<JobBack>,
  env: NodeJS.ProcessEnv,
): Promise<ThreadJobs[Name]["result"]> {
  const progress = throttle((latest) => tell("progress", latest));
  const job = await jobs[name]();
  try {
    return await job(payload, {
      ...given,
      env,
      triedAgain,
      signal,
      log: (sentence) => tell("log", sentence),
      progress: (latest) => progress.report(latest),
      failpoint: failpointFromEnvironment(env.MTJOBS_FAILPOINT),
    });
  } finally {
    progress.flush();
  }
}
