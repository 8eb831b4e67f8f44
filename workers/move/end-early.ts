import { plural } from "../../shared/plural.ts";
import type { Move } from "./move.ts";

/**
 * Whether the job is to begin no further batch; then the `left` runs that it had chosen are counted as left to the
 * next job, and its story says so.
 */
export function endEarly(
  { time, tally, context }: Pick<Move, "time" | "tally" | "context">,
  left: number,
): boolean {
  const by = time.up();
  if (by === undefined) return false;
  tally.leave(by, left);
  context.log(`Time is up (${by}): ${plural(left, "run")} left for the next job.`);
  return true;
}
