import type { Area } from "../../shared/area/area.ts";
import type { CachePair } from "../../shared/area/cache/cache.ts";
import { clockSkewMs, touch } from "../../shared/area/cache/mtime.ts";

/** Minimum interval between renewals, ms; well below the 10 s after which Megatest refills a cache. */
const renewalMs = 1_000;

/** Plain data, so that each thread can renew the times itself. */
export interface CacheTimesSetup {
  /** The cache's megatest.db; undefined without a cache. */
  file: string | undefined;
  /** Ms by which the area's file system is ahead of this host's clock; 0 if it is behind. */
  aheadMs: number;
}

export function cacheTimesSetup(area: Area, cache: CachePair | undefined): CacheTimesSetup {
  return cache === undefined
    ? { file: undefined, aheadMs: 0 }
    : { file: cache.megatestDb, aheadMs: Math.max(0, clockSkewMs(area)) };
}

/**
 * Keeps the cache's modification time ahead of megatest.db's, so that no Megatest refills the cache, whatever dies
 * after a commit to megatest.db.
 */
export class CacheTimes {
  readonly #setup: CacheTimesSetup;
  #renewedAt = Number.NEGATIVE_INFINITY;
  /** By the wall clock. */
  #touchedAt = Number.NEGATIVE_INFINITY;

  constructor(setup: CacheTimesSetup) {
    this.#setup = setup;
  }

  /** Call right before each transaction that writes to megatest.db. */
  renew(): void {
    const now = performance.now();
    const wall = Date.now();
    // By both clocks: the wall clock, which Megatest compares, may be changed; the monotonic one stops in a suspend.
    const isRecent = now - this.#renewedAt < renewalMs && Math.abs(wall - this.#touchedAt) < renewalMs;
    if (this.#setup.file === undefined || isRecent) return;
    touch(this.#setup.file, wall + this.#setup.aheadMs);
    this.#renewedAt = now;
    this.#touchedAt = wall;
  }
}
