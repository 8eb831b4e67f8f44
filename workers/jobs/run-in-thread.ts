import type { ThreadData, ThreadJobName, ThreadJobs } from "../job-thread/protocol.ts";
import type { JobReporter } from "./job-reporter.ts";
import type { WorkerContext } from "./worker-context.ts";

/** Runs a job in its thread until the first of `signals` is aborted, and reports its log and progress. */
export async function runInThread<Name extends ThreadJobName>(
  data: Omit<ThreadData<Name>, "settings" | "settleMs">,
  signals: readonly AbortSignal[],
  { reporter, host }: { reporter: JobReporter; host: WorkerContext },
): Promise<ThreadJobs[Name]["result"]> {
  const { settings, settleMs, abandon, threads } = host;
  const whole = { ...data, settings, settleMs } as ThreadData<Name>;
  return await threads.run(whole, {
    signal: AbortSignal.any([...signals]),
    abandon,
    onLog: (sentence) => reporter.log(sentence),
    onProgress: (progress) => reporter.progress(progress),
  });
}
