/** How far the clock of another host may be ahead before a time it wrote down is not believed, in ms. */
const believedAheadMs = 60_000;

/**
 * Ms since a time (ms since 1970) that a host wrote down, perhaps another one or before this one's clock was set. A time
 * still to come tells nothing, and counts as long ago (Infinity): whoever waits for it would wait for a clock. Never
 * negative. To measure a duration within one process, use `performance.now()`.
 */
export function msSince(time: number, now = Date.now()): number {
  const ms = now - time;
  return ms < -believedAheadMs ? Infinity : Math.max(0, ms);
}
