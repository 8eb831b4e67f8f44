import { getNextMillis } from "bullmq";

/**
 * Returns the next times at which a cron pattern matches, as BullMQ reads it, ms since 1970; none if it is invalid or
 * never matches. Import it when it is needed: it loads BullMQ.
 */
export function nextTurns(pattern: string, tz: string, count: number): number[] {
  const turns: number[] = [];
  for (let from = Date.now(); turns.length < count; from = turns.at(-1) ?? from) {
    const next = turnAfter(from, pattern, tz);
    if (next === undefined) break;
    turns.push(next);
  }
  return turns;
}

function turnAfter(from: number, pattern: string, tz: string): number | undefined {
  try {
    return getNextMillis(from, { pattern, tz });
  } catch {
    return undefined;
  }
}
