import {
  BroadcastChannel,
  getEnvironmentData,
  type MessagePort,
  setEnvironmentData,
} from "node:worker_threads";
import type { Part } from "../../shared/sqlite/connection.ts";

/** A measurement that a job thread reports to its worker's metrics. */
export type Metric =
  /** Number of tests in one batch, and how long a database was locked for it. */
  | { kind: "batch"; part: Part; tests: number }
  | { kind: "lock"; part: Part; ms: number }
  /** Wait for a busy database. */
  | { kind: "wait"; ms: number };

/** Environment data key; threads started after `onMetric`, and their own threads, see it. */
const key = "mtjobs-metrics";

let channel: BroadcastChannel | undefined;

/** Reports a metric to the process; does nothing without a listener. */
export function emitMetric(kind: Metric): void {
  const name: unknown = getEnvironmentData(key);
  if (typeof name !== "string") return;
  channel ??= open(name);
  channel.postMessage(kind);
}

/** Receives the metrics of all threads started from now on, until the returned function is called. */
export function onMetric(listener: (kind: Metric) => void): () => void {
  const name = `${key}-${process.pid}`;
  setEnvironmentData(key, name);
  const receiving = open(name);
  receiving.onmessage = (event) => listener((event as { data: Metric }).data);
  return () => {
    setEnvironmentData(key, undefined);
    receiving.close();
  };
}

/** Opens a channel that does not keep a thread alive. */
function open(name: string): BroadcastChannel {
  const opened = new BroadcastChannel(name);
  (opened as unknown as MessagePort).unref();
  return opened;
}
