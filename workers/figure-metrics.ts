import { Gauge, Histogram, type Registry } from "prom-client";
import type { MoveResult } from "../shared/result.ts";
import type { Part } from "../shared/sqlite/connection.ts";
import { hearFigures } from "./figures.ts";

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
export class FigureMetrics {
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
    this.#stop = hearFigures((told) => {
      if (told.figure === "wait") wait.observe(told.ms / 1000);
      else if (told.figure === "lock") lock.observe({ database: databases[told.part] }, told.ms / 1000);
      else batch.observe({ database: databases[told.part] }, told.tests);
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
