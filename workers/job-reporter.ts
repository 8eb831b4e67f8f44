import type { Job } from "bullmq";
import type { Logger } from "../shared/log.ts";
import type { Progress } from "../shared/result.ts";

/** Brings a job's story and progress to Redis, in order, without making the job wait for it. */
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
      // What cannot be told does not fail the work; the log on stderr has it.
      (error: unknown) => this.#log.warn({ err: error }, "could not report to Redis"),
    );
  }

  /** One sentence of the story, in the job's log and the program's. */
  log(sentence: string): void {
    this.#log.info(sentence);
    this.#queue(() => this.#job.log(sentence));
  }

  /** Only the latest is written where Redis is slower than the job. */
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

  /** Resolves when everything said so far is written (or could not be). */
  async flush(): Promise<void> {
    await this.#tail;
  }
}
