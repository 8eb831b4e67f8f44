import { JobThreads, type ThreadOptions } from "./job-threads.ts";
import type { ThreadData, ThreadJobName, ThreadJobs } from "./thread-protocol.ts";

/** Runs the one job that this process is there for; see `JobThreads`. */
export async function runInThread<Name extends ThreadJobName>(
  data: ThreadData<Name>,
  options: ThreadOptions = {},
): Promise<ThreadJobs[Name]["result"]> {
  const threads = new JobThreads();
  try {
    return await threads.run(data, options);
  } finally {
    threads.close();
  }
}
