/** Maximum plausible clock difference, ms. */
const believedAheadMs = 60_000;

/**
 * Returns the ms since a recorded time (ms since 1970), never negative. A time in the future, of a wrong clock,
 * counts as long ago (Infinity). Use `performance.now()` within a process.
 */
export function msSince(time: number, now = Date.now()): number {
  const ms = now - time;
  return ms < -believedAheadMs ? Infinity : Math.max(0, ms);
}
