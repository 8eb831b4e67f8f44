/**
 * How much work fits into one lock. Nobody may wait on us for longer than `budgetMs`; the size of a batch
 * follows what the last ones took.
 */
export class Pace {
  /** Tests in one transaction. */
  size: number;
  /** Longest lock seen, in ms. */
  longestMs = 0;
  #commitMs = 0;

  constructor(initial = 50) {
    this.size = initial;
  }

  /** The contract's bound: 25 ms, or twice what a one-row commit takes on this file system. */
  get budgetMs(): number {
    return Math.max(25, 2 * this.#commitMs);
  }

  /** Notes what a commit of one row took; the fastest seen is what the file system can do. */
  noteOneRowCommit(ms: number): void {
    this.#commitMs = this.#commitMs === 0 ? ms : Math.min(this.#commitMs, ms);
  }

  /** Notes a lock of `ms` over `tests` tests, and sets the next size. */
  note(ms: number, tests: number): void {
    this.longestMs = Math.max(this.longestMs, ms);
    if (tests === 0 || ms <= 0) return;
    // Aim well below the bound: a batch of heavier tests must still fit.
    const fitting = tests * ((0.55 * this.budgetMs) / ms);
    const step = Math.min(Math.max(fitting, this.size / 4), this.size * 1.5);
    this.size = Math.max(1, Math.min(5000, Math.round(step)));
  }
}
