import { statSync } from "node:fs";

/** Up to 1.6501 Megatest's sync pauses while megatest.db changes; we write no longer than this at a stretch, in ms. */
const writeMs = 8_000;

/**
 * How long megatest.db is then left alone, in ms: 4 s until the sync believes it, 5 s until its next round,
 * and the time of the round itself. The newer kind waits for nothing once megatest.db has changed: it takes less.
 */
export function syncPassMs(cacheFile: string | undefined): number {
  const bytes = cacheFile === undefined ? 0 : (statSync(cacheFile, { throwIfNoEntry: false })?.size ?? 0);
  // A sync reads every table of cache and ref into memory: allow it a second for each 20 MB.
  return 11_000 + Math.min(60_000, bytes / 20_000);
}

/** Leaves megatest.db alone now and then, so that a live server's sync gets its turn. */
export class SyncWindow {
  readonly #rest: () => Promise<void>;
  #since: number | undefined;

  /** @param rest waits for a sync to pass; undefined where no server is alive */
  constructor(rest: (() => Promise<void>) | undefined) {
    this.#rest = rest ?? (async () => {});
    this.#since = rest === undefined ? Number.POSITIVE_INFINITY : undefined;
  }

  /** Await before each batch of writes to megatest.db. */
  async enter(): Promise<void> {
    this.#since ??= performance.now();
    if (performance.now() - this.#since < writeMs) return;
    await this.#rest();
    this.#since = performance.now();
  }
}
