/** The maximum time of a `Date`, in ms since 1970. */
const farthest = 8.64e15;

/**
 * Formats a time in ms since 1970 as ISO 8601. Invalid table values are clamped to the range; what is not a number
 * becomes 1970.
 */
export function isoTime(ms: unknown): string {
  const time = typeof ms === "number" && !Number.isNaN(ms) ? ms : 0;
  return new Date(Math.max(-farthest, Math.min(farthest, time))).toISOString();
}
