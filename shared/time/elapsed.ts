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

/** `350 ms`, `1.2 s`, `3 min 5 s`, `2 h 5 min`, `7 d`, `7 d 2 h` */
export function elapsedText(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  if (hours >= 24) return `${Math.floor(hours / 24)} d${hours % 24 > 0 ? ` ${hours % 24} h` : ""}`;
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${seconds % 60} s`;
}
