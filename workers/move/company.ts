/**
 * A writer that waits in SQLite asks again after 1, 2, 5, 10, 15, 20, 25, 25, 25, 50 and then each 100 ms, and holds
 * nothing meanwhile: a gap longer than 25 ms is sure to let in whoever has waited for less than 128 ms.
 */
const gapMs = 26;
/**
 * After how long under lock the next gap comes, in ms: where somebody wrote a moment ago, and where nobody did. Even with a
 * lock of 25 ms in hand the station's own then end before somebody asks again after 53 ms, or after 78 ms.
 */
const lockedMs = { busy: 27, quiet: 50 };
/** For so many ms after a commit by somebody else gaps come closer together. */
const companyMs = 1_000;

/** Whether others write to the database that we work on, and when they must be let in. */
export class Company {
  #version: number | undefined;
  #seenAt = Number.NEGATIVE_INFINITY;
  #heldMs = 0;

  /** @param version SQLite's counter of commits by others, read under our lock */
  note(version: number): void {
    // The first look cannot tell: somebody may be there.
    if (version !== this.#version) this.#seenAt = performance.now();
    this.#version = version;
  }

  /** True where somebody else committed a moment ago. */
  get isLikely(): boolean {
    return performance.now() - this.#seenAt < companyMs;
  }

  /** How long to leave the database alone after a lock of `heldMs`, in ms. */
  gapAfter(heldMs: number): number {
    this.#heldMs += heldMs;
    if (this.#heldMs < (this.isLikely ? lockedMs.busy : lockedMs.quiet)) return 0;
    this.#heldMs = 0;
    return gapMs;
  }
}
