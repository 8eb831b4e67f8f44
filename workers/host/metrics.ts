import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Job, Worker } from "bullmq";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { decodeFailure } from "../../shared/contract/failure.ts";
import type { MoveResult } from "../../shared/contract/move-result.ts";
import { payloadSchemas } from "../../shared/contract/payload.ts";
import { listenError } from "../../shared/listen-error.ts";
import { isForwarded } from "../../shared/queue/names.ts";
import { startedOn } from "../../shared/queue/started-on.ts";
import type { Part } from "../../shared/sqlite/connection.ts";
import { listeningUrl } from "../../shared/text.ts";
import type { AreaLocks } from "../locks/area-locks.ts";
import { onMetric } from "../threads/metrics-channel.ts";

/** Seconds, from a dry run on a small area to a reduce of a very large one. */
const durations = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400];

/** Counts a worker's jobs and rows for Prometheus. */
export class WorkerMetrics {
  readonly #registry = new Registry();
  readonly #jobs: Counter<"job" | "outcome">;
  readonly #seconds: Histogram<"job">;
  readonly #rows: Counter<"job" | "table">;
  readonly #threadMetrics: ThreadMetrics;
  #server: Server | undefined;

  constructor(host: string) {
    const registers = [this.#registry];
    this.#registry.setDefaultLabels({ host });
    collectDefaultMetrics({ register: this.#registry, prefix: "mtjobs_worker_" });
    this.#jobs = new Counter({
      name: "mtjobs_worker_jobs_total",
      help: "Jobs that ended here, by outcome",
      labelNames: ["job", "outcome"],
      registers,
    });
    this.#seconds = new Histogram({
      name: "mtjobs_worker_job_duration_seconds",
      help: "Duration of jobs that ended: of a migration from its first pass, of others from their last start",
      labelNames: ["job"],
      buckets: durations,
      registers,
    });
    this.#rows = new Counter({
      name: "mtjobs_worker_rows_moved_total",
      help: "Rows moved by jobs in either direction, by table, runs included",
      labelNames: ["job", "table"],
      registers,
    });
    this.#threadMetrics = new ThreadMetrics(this.#registry);
  }

  /** Counts every job that `worker` ends from now on, and the locks held. */
  watch(worker: Worker, locks: Pick<AreaLocks, "held">): void {
    new Gauge({
      name: "mtjobs_worker_locks_held",
      help: "Areas whose Redis lock this worker holds",
      registers: [this.#registry],
      collect() {
        this.set(locks.held);
      },
    });
    worker.on("completed", (job, result: unknown) => {
      this.#end(job, isForwarded(result) ? "forwarded" : "completed");
      if (isForwarded(result)) return;
      this.#count(result as Partial<MoveResult>);
      if (job.name !== "migrate") this.#threadMetrics.note(result as Partial<MoveResult>);
    });
    worker.on("failed", (job) => {
      // No end time: it will be retried.
      if (job?.finishedOn === undefined) return;
      const { code } = decodeFailure(job.failedReason ?? "");
      const isDryRun = (job.data as { dryRun?: unknown } | null)?.dryRun === true;
      this.#end(job, code === "cancelled" ? "cancelled" : isDryRun ? "dry-run-failed" : "failed");
    });
  }

  /** Serves the metrics at any path; resolves to the URL. @throws JobsError `io` if it cannot listen */
  async listen({ host, port }: { host: string; port: number }): Promise<string> {
    const server = createServer((request, response) => {
      request.resume();
      this.#registry.metrics().then(
        (text) => response.setHeader("content-type", this.#registry.contentType).end(text),
        () => response.writeHead(500).end(),
      );
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => reject(listenError(cause, { host, port }, "--metrics")));
      server.listen(port, host, resolve);
    });
    return `${listeningUrl(server.address() as AddressInfo)}/metrics`;
  }

  close(): void {
    this.#threadMetrics.close();
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  #end(job: Job, outcome: string) {
    // An unknown name of another tool would create a lasting series.
    const known = job.name in payloadSchemas ? job.name : "other";
    this.#jobs.inc({ job: known, outcome });
    const started = startedOn(job);
    if (started === undefined || job.finishedOn === undefined) return;
    this.#seconds.observe({ job: known }, (job.finishedOn - started) / 1000);
  }

  #count({ job, moved, dryRun }: Partial<MoveResult>): void {
    if (job === undefined || moved === undefined || dryRun === true) return;
    for (const [table, rows] of Object.entries(moved)) this.#rows.inc({ job, table }, rows);
  }
}

const databases: Record<Part, string> = {
  area: "megatest.db",
  cache: "cache/megatest.db",
  ref: "cache/megatest_ref.db",
  completed: "completed-runs.db",
};

/** Seconds, around the target of 25 ms for locks that Megatest's clients wait for. */
const locks = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
/** Seconds, up to the time at which a job gives up. */
const waits = [0.01, 0.025, 0.1, 0.25, 1, 5, 15, 60, 120];
const batches = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000];

/** Measures what job threads report and the sizes that jobs leave. */
export class ThreadMetrics {
  readonly #bytes: Gauge<"area" | "database">;
  readonly #stop: () => void;

  constructor(registry: Registry) {
    const registers = [registry];
    const labelNames = ["database"] as const;
    const batch = new Histogram({
      name: "mtjobs_worker_batch_tests",
      help: "Tests handled in one transaction",
      ...{ labelNames, buckets: batches, registers },
    });
    const lock = new Histogram({
      name: "mtjobs_worker_lock_seconds",
      help: "How long a database was locked at a time, for reading or writing",
      ...{ labelNames, buckets: locks, registers },
    });
    const wait = new Histogram({
      name: "mtjobs_worker_busy_wait_seconds",
      help: "How long a job waited for a busy database",
      ...{ buckets: waits, registers },
    });
    this.#bytes = new Gauge({
      name: "mtjobs_worker_database_bytes",
      help: "Size of an area's database after this worker's last job on it",
      ...{ labelNames: ["area", "database"] as const, registers },
    });
    this.#stop = onMetric((metric) => {
      if (metric.kind === "wait") wait.observe(metric.ms / 1000);
      else if (metric.kind === "lock") lock.observe({ database: databases[metric.part] }, metric.ms / 1000);
      else batch.observe({ database: databases[metric.part] }, metric.tests);
    });
  }

  /** Records the database sizes that a job left. */
  note({ area, bytes }: Partial<MoveResult>): void {
    if (area === undefined) return;
    for (const [database, { after }] of Object.entries(bytes ?? {}))
      this.#bytes.set({ area, database }, after);
  }

  close(): void {
    this.#stop();
  }
}
