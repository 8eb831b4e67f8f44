import { JobsError, toJobsError } from "../shared/errors.ts";
import { flushTraces, startTracing } from "../shared/queue/tracing.ts";
import { createLog } from "../shared/settings/log.ts";
import type { Settings } from "../shared/settings/settings.ts";
import { HostWorker, type HostWorkerOptions } from "./host/host-worker.ts";

const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
type Signal = (typeof signals)[number];

/** Ends this process with the default action of `signal`, immediately and without waiting for threads. */
function dieBy(signal: Signal): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

export interface RunWorkerOptions extends HostWorkerOptions {
  /** Address for Prometheus metrics. */
  metrics?: { host: string; port: number } | undefined;
}

/**
 * `mtjobs worker`: serves the host's queue until a signal. The first signal finishes the current batch and requeues
 * the job, a second one exits immediately. Resolves to the exit status; rejects if the worker may not start, or another one has
 * taken over the host.
 */
export async function runWorker(
  settings: Settings,
  { metrics: listen, ...options }: RunWorkerOptions = {},
): Promise<number> {
  const log = createLog(settings, process.env);
  const metrics = listen && new (await import("./host/metrics.ts")).WorkerMetrics(settings.host);
  const watched: HostWorkerOptions | undefined = metrics && {
    watch: (queue, locks) => metrics.watch(queue, locks),
  };
  const worker = new HostWorker(settings, log, { env: process.env, ...watched, ...options });
  const { promise: signalled, end } = firstSignal((signal) => {
    log.warn(`${signal} again: exiting immediately`);
    dieBy(signal);
  });
  try {
    if (listen !== undefined) log.info(`metrics at ${await metrics?.listen(listen)}`);
    await startTracing(settings);
    const reason = await serve(worker, signalled);
    if (reason === undefined) return 0;
    if (reason instanceof JobsError) log.error(`leaving: ${reason.message}`);
    else log.info(`${reason}: finishing the current batch`);
    const outcome = await worker.stop();
    log.info(outcome === "left" ? "left" : "left in the middle of a step; the next worker repeats it");
    if (outcome === "abandoned") dieBy(reason instanceof JobsError ? "SIGTERM" : reason);
    if (reason instanceof JobsError) throw reason;
    return 0;
  } finally {
    await flushTraces();
    metrics?.close();
    end();
  }
}

/**
 * Returns what ends the serving worker: a signal, or the refusal because another one has taken over; undefined if a
 * signal came while the worker waited for Redis.
 */
async function serve(
  worker: HostWorker,
  signalled: Promise<Signal>,
): Promise<Signal | JobsError | undefined> {
  let isServing = false;
  void signalled.then(async () => {
    if (!isServing) await worker.stop();
  });
  try {
    await worker.start();
  } catch (error) {
    if (toJobsError(error).code === "stopped") return undefined;
    throw error;
  }
  isServing = true;
  return await Promise.race([signalled, worker.displaced]);
}

function firstSignal(onSecond: (signal: Signal) => void): { promise: Promise<Signal>; end: () => void } {
  let received = false;
  let resolve: (signal: Signal) => void = () => {};
  const promise = new Promise<Signal>((settle) => {
    resolve = settle;
  });
  const handler = (signal: NodeJS.Signals) => {
    if (received) onSecond(signal as Signal);
    received = true;
    resolve(signal as Signal);
  };
  for (const signal of signals) process.on(signal, handler);
  return {
    promise,
    end: () => {
      for (const signal of signals) process.off(signal, handler);
    },
  };
}
