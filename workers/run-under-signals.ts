import type { JobHost } from "./job-host.ts";
import type { JobReporter } from "./job-reporter.ts";
import { runInThread } from "./run-in-thread.ts";
import type { ThreadData, ThreadJobName, ThreadJobs } from "./thread-protocol.ts";

/** Runs a job's thread until the first of `signals` is aborted, telling its story and progress. */
export async function runUnderSignals<Name extends ThreadJobName>(
  data: Omit<ThreadData<Name>, "settings" | "settleMs">,
  signals: readonly AbortSignal[],
  { reporter, host }: { reporter: JobReporter; host: JobHost },
): Promise<ThreadJobs[Name]["result"]> {
  const { settings, settleMs, abandon, threadUrl } = host;
  const either = new AbortController();
  const forwards = signals.map((source) => {
    const pass = () => either.abort(source.reason);
    if (source.aborted) pass();
    source.addEventListener("abort", pass);
    return () => source.removeEventListener("abort", pass);
  });
  try {
    const whole = { ...data, settings, ...(settleMs === undefined ? {} : { settleMs }) } as ThreadData<Name>;
    return await runInThread(whole, {
      signal: either.signal,
      abandon,
      onLog: (sentence) => reporter.log(sentence),
      onProgress: (progress) => reporter.progress(progress),
      ...(threadUrl === undefined ? {} : { threadUrl }),
    });
  } finally {
    for (const end of forwards) end();
  }
}
