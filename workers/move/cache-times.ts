import type { Area } from "../../shared/area/area.ts";
import type { CachePair } from "../../shared/area/cache.ts";
import { clockSkewMs, touch } from "../../shared/area/mtime.ts";

/** Renewed this often at most, in ms; well inside the 10 s after which Megatest refills a cache. */
const renewalMs = 1_000;

/** Plain data, so that each thread can keep times of its own. */
export interface CacheTimesSetup {
  /** The cache's megatest.db; undefined where there is none, and nothing to keep. */
  file: string | undefined;
  /** Ms by which the area's file system is ahead of this host's clock; 0 where it is behind. */
  aheadMs: number;
}

export function cacheTimesSetup(area: Area, cache: CachePair | undefined): CacheTimesSetup {
  return cache === undefined
    ? { file: undefined, aheadMs: 0 }
    : { file: cache.megatestDb, aheadMs: Math.max(0, clockSkewMs(area)) };
}

/**
 * Keeps the cache's modification time ahead of megatest.db's: whatever dies after a commit of ours to
 * megatest.db, no Megatest takes it for newer than the cache and refills the cache from it.
 */
export class CacheTimes {
  readonly #setup: CacheTimesSetup;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(setup: CacheTimesSetup) {
    this.#setup = setup;
  }

  /** Call right before each transaction that writes to megatest.db. */
  renew(): void {
    // The interval by a clock that nobody sets: were this host's set back, the cache would not be touched for as long.
    const now = performance.now();
    if (this.#setup.file === undefined || now - this.#renewedAt < renewalMs) return;
    touch(this.#setup.file, Date.now() + this.#setup.aheadMs);
    this.#renewedAt = now;
  }
}
