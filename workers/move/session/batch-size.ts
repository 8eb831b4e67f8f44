import type { Part } from "../../../shared/sqlite/connection.ts";
import { emitMetric } from "../../threads/metrics-channel.ts";

/** Bound of a lock if nothing is known about others who wait for it, ms. */
export const usualAimMs = 25;

/** Adapts the batch size to the time that recent locks took: no other connection may wait for longer than `budgetMs`. */
export class BatchSize {
  /** Tests in one transaction. */
  size: number;
  /** The previous lock, ms. */
  lastMs = 0;
  /** Recent one-row commits, ms, the newest last. */
  #commits: number[] = [];
  #measuredAt = Number.NEGATIVE_INFINITY;
  #heldMs = 0;

  readonly #part: Part;
  readonly #aimMs: () => number;

  /**
   * @param part whose lock it is, for the metrics
   * @param aimMs returns the bound if commits are fast, which depends on who waits
   */
  constructor(part: Part, aimMs = () => usualAimMs, initial = 25) {
    this.#part = part;
    this.#aimMs = aimMs;
    this.size = initial;
  }

  /** The bound: the aim, or twice a one-row commit on this file system now. */
  get budgetMs(): number {
    return Math.max(this.#aimMs(), 2 * this.#commitMs);
  }

  /** Returns true if a commit must be measured again: a shared file system may be slower for a while. */
  get wantsCommit(): boolean {
    return performance.now() - this.#measuredAt > 2_000;
  }

  /** Records the time of a one-row commit, ms. */
  noteOneRowCommit(ms: number): void {
    this.#measuredAt = performance.now();
    this.#commits = [...this.#commits.slice(-4), ms];
  }

  get #commitMs(): number {
    return this.#commits.toSorted((a, b) => a - b)[Math.floor(this.#commits.length / 2)] ?? 0;
  }

  /** Records that a lock was held for `ms`. */
  hold(ms: number): void {
    this.lastMs = ms;
    emitMetric({ kind: "lock", part: this.#part, ms });
    this.#heldMs = Math.max(this.#heldMs, ms);
  }

  /** Sets the next size from the longest lock since the last call, which handled `tests` tests. */
  settle(tests: number): void {
    const held = this.#heldMs;
    this.#heldMs = 0;
    if (tests === 0 || held === 0) return;
    emitMetric({ kind: "batch", part: this.#part, tests });
    // A commit's time does not grow with the batch; aim below the bound, since the next tests may be heavier.
    const commitMs = this.#commitMs;
    const rows = Math.max(held - commitMs, held / 4);
    const fitting = (tests * Math.max(0.75 * this.budgetMs - commitMs, this.budgetMs / 4)) / rows;
    const step = Math.min(Math.max(fitting, this.size / 4), this.size * 1.5);
    this.size = Math.max(1, Math.min(1000, Math.round(step)));
  }
}
