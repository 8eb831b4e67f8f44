import type { Job } from "bullmq";
import type { Progress } from "../../shared/contract/move-result.ts";
import type { Logger } from "../../shared/settings/log.ts";

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
      if (latest !== undefined) await this.#job.updateProgress(latest);
    });
  }

  /** Resolves when everything reported so far is written or has failed. */
  async flush(): Promise<void> {
    await this.#tail;
  }
}
