/**
 * A writer that waits in SQLite retries after 1, 2, 5, 10, 15, 20, 25, 25, 25, 50 and then each 100 ms, holding
 * nothing between: a gap over 25 ms lets in every writer that has waited for less than 128 ms.
 */
const gapMs = 26;
/**
 * Time under lock before the next gap, ms: with and without a recent writer. Even with a lock of 25 ms under way,
 * these end before a writer's retry after 53 or 78 ms.
 */
const lockedMs = { busy: 27, quiet: 50 };
/** How long after a commit by another writer gaps come more often, ms. */
const writersMs = 1_000;

/** Decides when other writers to a database must be let in. */
export class WriterGaps {
  #version: number | undefined;
  #seenAt = Number.NEGATIVE_INFINITY;
  #heldMs = 0;

  /** @param version SQLite's counter of other connections' commits, read under the lock */
  note(version: number): void {
    // The first call has nothing to compare with: assume a writer.
    if (version !== this.#version) this.#seenAt = performance.now();
    this.#version = version;
  }

  /** Returns true if another connection committed recently. */
  get isLikely(): boolean {
    return performance.now() - this.#seenAt < writersMs;
  }

  /** Returns how long to leave the database alone after a lock of `heldMs`, ms. */
  gapAfter(heldMs: number): number {
    this.#heldMs += heldMs;
    if (this.#heldMs < (this.isLikely ? lockedMs.busy : lockedMs.quiet)) return 0;
    this.#heldMs = 0;
    return gapMs;
  }
}
