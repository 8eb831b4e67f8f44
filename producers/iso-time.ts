/** The last moment that a `Date` knows, in ms since 1970. */
const farthest = 8.64e15;

/** A time in ms since 1970 as ISO 8601. What a table holds may be none: what is too far is the farthest, what is no number 1970. */
export function isoTime(ms: unknown): string {
  const time = typeof ms === "number" && !Number.isNaN(ms) ? ms : 0;
  return new Date(Math.max(-farthest, Math.min(farthest, time))).toISOString();
}
