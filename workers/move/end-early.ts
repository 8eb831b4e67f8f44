import { plural } from "../../shared/plural.ts";
import type { JobSession } from "./move.ts";

/** Returns whether the job must end; if so, logs it and counts the `left` runs as left to the next job. */
export function endEarly(
  { time, tally, context }: Pick<JobSession, "time" | "tally" | "context">,
  left: number,
): boolean {
  const by = time.up();
  if (by === undefined) return false;
  tally.leave(by, left);
  context.log(`Time is up (${by}): ${plural(left, "run")} left for the next job.`);
  return true;
}
