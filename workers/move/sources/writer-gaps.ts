/**
 * How long SQLite's busy handler sleeps between two tries, by how long it has waited before, ms; from
 * `sqliteDefaultBusyCallback`; 2 ms or less before the first. A writer that sleeps holds nothing.
 */
const sleeps = [
  { waited: 3, ms: 5 },
  { waited: 8, ms: 10 },
  { waited: 18, ms: 15 },
  { waited: 33, ms: 20 },
  { waited: 53, ms: 25 },
  { waited: 128, ms: 50 },
  { waited: 228, ms: 100 },
];

/** Time under lock after which a gap follows, ms: with and without a recent writer. */
const lockedMs = { busy: 3, quiet: 50 };
/** Wait of a writer that has missed a gap, or several, ms: as long as SQLite sleeps for 25 ms at most. */
const missedMs = 128;
/** How long after a commit by another writer gaps come more often, ms. */
const writersMs = 1_000;

/** Decides when other writers to a database must be let in. */
export class WriterGaps {
  #version: number | undefined;
  #seenAt = Number.NEGATIVE_INFINITY;
  #heldMs = 0;
  /** True if another connection committed in the last gap. */
  #wasUsed = false;

  /** @param version SQLite's counter of other connections' commits, read under the lock */
  note(version: number): void {
    // The first call has nothing to compare with: assume a writer.
    this.#wasUsed ||= version !== this.#version;
    if (version !== this.#version) this.#seenAt = performance.now();
    this.#version = version;
  }

  /** Returns true if another connection committed recently. */
  get isLikely(): boolean {
    return performance.now() - this.#seenAt < writersMs;
  }

  /**
   * Returns how long to leave the database alone after a lock of `heldMs`, ms; 0 if the next lock may follow. Each
   * writer that began to wait since the last gap tries again within this one.
   */
  gapAfter(heldMs: number): number {
    this.#heldMs += heldMs;
    if (this.#heldMs < (this.isLikely ? lockedMs.busy : lockedMs.quiet)) return 0;
    // If no other connection committed in the last gap, a writer may have missed it, and sleep for longer now.
    const waited = this.#wasUsed ? this.#heldMs : Math.max(this.#heldMs, missedMs);
    const longest = sleeps.findLast((sleep) => sleep.waited < waited)?.ms ?? 2;
    this.#heldMs = 0;
    this.#wasUsed = false;
    // A timer may end early by a part of a millisecond, and the writer's may end late.
    return longest + 2;
  }
}
