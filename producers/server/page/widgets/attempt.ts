import type { Enqueued } from "../../../contract/job.ts";
import { ask, jobPath, Refusal } from "../data/api.ts";
import type { MoveJob } from "../data/documents.ts";
import { areaDetails } from "../data/poller.ts";
import { changed } from "../data/state.ts";

/** Milliseconds between polls of the job. */
const pollInterval = 500;

const ends = ["completed", "failed", "cancelled"];

/** A job that the user requests on the page, followed until it ends. */
export class Attempt {
  readonly request: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
  job: MoveJob | undefined;
  trouble: string | undefined;
  /** What the server says about the members of the request. */
  problems: readonly string[] = [];
  #isAbandoned = false;

  constructor(request: Record<string, unknown>, dryRun: boolean) {
    this.request = request;
    this.dryRun = dryRun;
  }

  get isBusy(): boolean {
    return this.trouble === undefined && !ends.includes(this.job?.state ?? "");
  }

  /** Ends the polling; the job continues. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  async run(): Promise<void> {
    try {
      const { jobId } = await ask<Enqueued>("jobs", { ...this.request, dryRun: this.dryRun });
      while (!this.#isAbandoned && this.isBusy) {
        this.job = await ask<MoveJob>(jobPath(jobId, undefined));
        changed();
        await new Promise((resolve) => setTimeout(resolve, pollInterval));
      }
      // The events may not have shown a short job.
      areaDetails.outdate(String(this.request.area));
    } catch (error) {
      this.trouble = (error as Error).message;
      if (error instanceof Refusal) this.problems = error.problems;
      changed();
    }
  }
}
