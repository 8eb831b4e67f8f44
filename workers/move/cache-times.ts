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
  /** By the clock that may be set. */
  #touchedAt = Number.NEGATIVE_INFINITY;

  constructor(setup: CacheTimesSetup) {
    this.#setup = setup;
  }

  /** Call right before each transaction that writes to megatest.db. */
  renew(): void {
    const now = performance.now();
    const wall = Date.now();
    // By both clocks: this one may be set, back or ahead, and stands for what Megatest compares; that one stops in a suspend.
    const isRecent = now - this.#renewedAt < renewalMs && Math.abs(wall - this.#touchedAt) < renewalMs;
    if (this.#setup.file === undefined || isRecent) return;
    touch(this.#setup.file, wall + this.#setup.aheadMs);
    this.#renewedAt = now;
    this.#touchedAt = wall;
  }
}
