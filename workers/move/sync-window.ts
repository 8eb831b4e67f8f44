import { statSync } from "node:fs";

/** Up to 1.6501 Megatest's sync pauses while megatest.db changes; maximum time of writing without a pause, ms. */
const writeMs = 8_000;

/**
 * Returns how long megatest.db is then left alone, ms: 4 s until the sync notices, 5 s until its next round, and the
 * round itself. The newer kind of sync takes less.
 */
export function syncPassMs(cacheFile: string | undefined): number {
  const bytes = cacheFile === undefined ? 0 : (statSync(cacheFile, { throwIfNoEntry: false })?.size ?? 0);
  // A sync reads every table of cache and ref into memory: allow 1 s per 20 MB.
  return 11_000 + Math.min(60_000, bytes / 20_000);
}

/** Leaves megatest.db alone at times, so that a live server's sync can run. */
export class SyncWindow {
  readonly #rest: () => Promise<void>;
  #since: number | undefined;

  /** @param rest waits for a sync to pass; undefined without a live server */
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
