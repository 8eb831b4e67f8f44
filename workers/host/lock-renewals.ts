import { JobsError } from "../../shared/errors.ts";

/**
 * Watches the queue's locks on the jobs that run here. BullMQ only reports a loss; without this a thread would
 * continue beside the job's next holder.
 */
export class LockRenewals {
  readonly #running: ReadonlyMap<string, AbortController>;
  readonly #lockDuration: number;
  readonly #renewedAt = new Map<string, number>();

  /**
   * @param running by job id
   * @param lockDuration lifetime of a lock without renewal, ms
   */
  constructor(running: ReadonlyMap<string, AbortController>, lockDuration: number) {
    this.#running = running;
    this.#lockDuration = lockDuration;
  }

  /** Records that the locks of these jobs were taken or renewed now. */
  note(jobIds: readonly string[]): void {
    for (const id of jobIds) this.#renewedAt.set(id, performance.now());
  }

  /** Stops the job at its next batch: another worker has its lock. */
  lose(jobId: string): void {
    this.#running.get(jobId)?.abort(new JobsError("lost-lease", "the job's lock in the queue was lost"));
  }

  /** Stops jobs whose lock was not renewed in time: to BullMQ a renewal that hangs is neither success nor failure. */
  check(): void {
    for (const jobId of this.#running.keys()) {
      if (performance.now() - (this.#renewedAt.get(jobId) ?? Number.NEGATIVE_INFINITY) > this.#lockDuration)
        this.lose(jobId);
    }
    for (const jobId of this.#renewedAt.keys()) {
      if (!this.#running.has(jobId)) this.#renewedAt.delete(jobId);
    }
  }
}
