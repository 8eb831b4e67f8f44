import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Worker } from "bullmq";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { JobsError } from "../shared/errors.ts";
import { listeningUrl } from "../shared/listening-url.ts";
import { decodeFailure } from "../shared/queue/failure.ts";
import { isForwarded } from "../shared/queue/forwarded.ts";
import { payloadSchemas } from "../shared/queue/payload.ts";
import type { MoveResult } from "../shared/result.ts";
import type { AreaLocks } from "./area-lock.ts";
import { FigureMetrics } from "./figure-metrics.ts";

/** Seconds, from a dry run on a small area to a reduce of a very large one. */
const durations = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400];

/** Counts a worker's jobs and rows for Prometheus. */
export class WorkerMetrics {
  readonly #registry = new Registry();
  readonly #jobs: Counter<"job" | "outcome">;
  readonly #seconds: Histogram<"job">;
  readonly #rows: Counter<"job" | "table">;
  readonly #figures: FigureMetrics;
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
      help: "Duration of jobs that ended, from their last start",
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
    this.#figures = new FigureMetrics(this.#registry);
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
      this.#end(job.name, isForwarded(result) ? "forwarded" : "completed", job);
      if (isForwarded(result)) return;
      this.#count(result as Partial<MoveResult>);
      if (job.name !== "migrate") this.#figures.note(result as Partial<MoveResult>);
    });
    worker.on("failed", (job) => {
      // No end time: it will be retried.
      if (job?.finishedOn === undefined) return;
      const { code } = decodeFailure(job.failedReason ?? "");
      this.#end(job.name, code === "cancelled" ? "cancelled" : "failed", job);
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
      server.once("error", (cause) =>
        reject(new JobsError("io", `cannot listen on ${host}:${port} for metrics`, { cause })),
      );
      server.listen(port, host, resolve);
    });
    return `${listeningUrl(server.address() as AddressInfo)}/metrics`;
  }

  close(): void {
    this.#figures.close();
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  #end(
    job: string,
    outcome: string,
    { processedOn, finishedOn }: { processedOn?: number; finishedOn?: number },
  ) {
    // An unknown name of another tool would create a lasting series.
    const known = job in payloadSchemas ? job : "other";
    this.#jobs.inc({ job: known, outcome });
    if (processedOn === undefined || finishedOn === undefined) return;
    this.#seconds.observe({ job: known }, (finishedOn - processedOn) / 1000);
  }

  #count({ job, moved, dryRun }: Partial<MoveResult>): void {
    if (job === undefined || moved === undefined || dryRun === true) return;
    for (const [table, rows] of Object.entries(moved)) this.#rows.inc({ job, table }, rows);
  }
}
