import type { Part } from "../../shared/sqlite/connection.ts";
import { tellFigure } from "../figures.ts";

/**
 * How much work fits into one lock. Nobody may wait on us for longer than `budgetMs`; the size of a batch
 * follows what the last ones took.
 */
export class Pace {
  /** Tests in one transaction. */
  size: number;
  /** The lock before, in ms. */
  lastMs = 0;
  /** What one-row commits took lately, in ms, the newest last. */
  #commits: number[] = [];
  #measuredAt = Number.NEGATIVE_INFINITY;
  #heldMs = 0;

  readonly #part: Part;
  readonly #aimMs: number;

  /**
   * @param part whose lock it is, as the metrics have it
   * @param aimMs the bound where commits are fast; longer where only Megatest's sync waits, and nobody for it
   */
  constructor(part: Part, aimMs = 25, initial = 25) {
    this.#part = part;
    this.#aimMs = aimMs;
    this.size = initial;
  }

  /** The contract's bound: 25 ms, or twice what a one-row commit takes on this file system now. */
  get budgetMs(): number {
    return Math.max(this.#aimMs, 2 * this.#commitMs);
  }

  /** True where it is time to measure a commit again: a file system that others load is slower for a while. */
  get wantsCommit(): boolean {
    return performance.now() - this.#measuredAt > 2_000;
  }

  /** Notes what a commit of one row took, in ms. */
  noteOneRowCommit(ms: number): void {
    this.#measuredAt = performance.now();
    this.#commits = [...this.#commits.slice(-4), ms];
  }

  get #commitMs(): number {
    return this.#commits.toSorted((a, b) => a - b)[Math.floor(this.#commits.length / 2)] ?? 0;
  }

  /** Notes that a lock was held for `ms`. */
  hold(ms: number): void {
    this.lastMs = ms;
    tellFigure({ figure: "lock", part: this.#part, ms });
    this.#heldMs = Math.max(this.#heldMs, ms);
  }

  /** Sets the next size by the longest lock since the last call, over which `tests` tests were worked on. */
  settle(tests: number): void {
    const held = this.#heldMs;
    this.#heldMs = 0;
    if (tests === 0 || held === 0) return;
    tellFigure({ figure: "batch", part: this.#part, tests });
    // What a commit takes does not grow with the batch; aim below the bound, for the next tests may be heavier.
    const commitMs = this.#commitMs;
    const rows = Math.max(held - commitMs, held / 4);
    const fitting = (tests * Math.max(0.75 * this.budgetMs - commitMs, this.budgetMs / 4)) / rows;
    const step = Math.min(Math.max(fitting, this.size / 4), this.size * 1.5);
    this.size = Math.max(1, Math.min(1000, Math.round(step)));
  }
}
