/**
 * How much work fits into one lock. Nobody may wait on us for longer than `budgetMs`; the size of a batch
 * follows what the last ones took.
 */
export class Pace {
  /** Tests in one transaction. */
  size: number;
  /** Longest lock seen, in ms. */
  longestMs = 0;
  /** The lock before, in ms. */
  lastMs = 0;
  #commitMs = 0;
  #heldMs = 0;

  readonly #aimMs: number;

  /** @param aimMs the bound where commits are fast; longer where only Megatest's sync waits, and nobody for it */
  constructor(aimMs = 25, initial = 10) {
    this.#aimMs = aimMs;
    this.size = initial;
  }

  /** The contract's bound: 25 ms, or twice what a one-row commit takes on this file system. */
  get budgetMs(): number {
    return Math.max(this.#aimMs, 2 * this.#commitMs);
  }

  /** Notes what a commit of one row took, in ms; the fastest seen is what the file system can do. */
  noteOneRowCommit(ms: number): void {
    this.#commitMs = this.#commitMs === 0 ? ms : Math.min(this.#commitMs, ms);
  }

  /** Notes that a lock was held for `ms`. */
  hold(ms: number): void {
    this.lastMs = ms;
    this.#heldMs = Math.max(this.#heldMs, ms);
    this.longestMs = Math.max(this.longestMs, ms);
  }

  /** Sets the next size by the longest lock since the last call, over which `tests` tests were worked on. */
  settle(tests: number): void {
    const held = this.#heldMs;
    this.#heldMs = 0;
    if (tests === 0 || held === 0) return;
    // What a commit takes does not grow with the batch; aim below the bound, for the next tests may be heavier.
    const rows = Math.max(held - this.#commitMs, held / 4);
    const fitting = (tests * (0.6 * this.budgetMs - Math.min(this.#commitMs, 8))) / rows;
    const step = Math.min(Math.max(fitting, this.size / 4), this.size * 1.5);
    this.size = Math.max(1, Math.min(1000, Math.round(step)));
  }
}
