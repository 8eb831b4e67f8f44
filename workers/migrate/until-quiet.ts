import type { JobsError } from "../../shared/errors.ts";
import type { CheckReport } from "../../shared/migrate-result.ts";
import { type Dealings, Pause } from "./dealings.ts";

/** Minimum and maximum time between checks, ms. */
const between = [60_000, 600_000] as const;

/** Returns the pause until the next check; undefined after the deadline. */
export function untilQuiet(
  dealings: Dealings,
  { earliestAt = 0 }: CheckReport,
  against: JobsError,
): Pause | undefined {
  const { at, job, payload } = dealings;
  const now = Date.now();
  const deadline = job.timestamp + payload.deadline;
  if (now >= deadline) return undefined;
  dealings.phase = "wait-quiet";
  if (at.said !== against.message) dealings.say(`Waiting: ${against.message}.`);
  at.said = against.message;
  const [least, most] = between;
  return new Pause(Math.min(Math.max(earliestAt - now, least), most, Math.max(deadline - now, 1000)));
}
