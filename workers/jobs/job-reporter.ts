import type { Job } from "bullmq";
import type { Progress } from "../../shared/contract/move-result.ts";
import type { Logger } from "../../shared/settings/log.ts";

/** The percentage is what Bull Board draws; 100 is left to a job that has ended. */
function withPercentage(progress: Progress): Progress & { progress: number } {
  const { runs, rows } = progress;
  const [done, total] = rows.total === undefined ? [runs.done, runs.total] : [rows.done, rows.total];
  return { ...progress, progress: total > 0 ? Math.min(Math.floor((100 * done) / total), 99) : 0 };
}

/** Writes a job's log and progress to Redis, in order, without making the job wait. */
export class JobReporter {
  readonly #job: Job;
  readonly #log: Logger;
  #tail: Promise<void> = Promise.resolve();
  #progress: Progress | undefined;

  constructor(job: Job, log: Logger) {
    this.#job = job;
    this.#log = log;
  }

  #queue(write: () => Promise<unknown>): void {
    this.#tail = this.#tail.then(write).then(
      () => {},
      // A failed report does not fail the job; the log on stderr has it.
      (error: unknown) => this.#log.warn({ err: error }, "could not report to Redis"),
    );
  }

  /** Adds a sentence to the job's log and the program's. */
  log(sentence: string): void {
    this.#log.info(sentence);
    this.#queue(() => this.#job.log(sentence));
  }

  /** Writes only the latest progress if Redis is slower than the job. */
  progress(progress: Progress): void {
    const idle = this.#progress === undefined;
    this.#progress = progress;
    if (!idle) return;
    this.#queue(async () => {
      const latest = this.#progress;
      this.#progress = undefined;
      if (latest !== undefined) await this.#job.updateProgress(withPercentage(latest));
    });
  }

  /** Writes that the job has done all; `counts` is what its result says. */
  done(counts: Pick<Progress, "runs" | "rows">): void {
    // The state of a migration stays.
    const { progress } = this.#job;
    const kept = typeof progress === "object" ? progress : {};
    this.#queue(() => this.#job.updateProgress({ ...kept, phase: "done", ...counts, progress: 100 }));
  }

  /** Resolves when everything reported so far is written or has failed. */
  async flush(): Promise<void> {
    await this.#tail;
  }
}
