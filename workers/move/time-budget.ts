import { JobsError } from "../../shared/errors.ts";
import type { ReducePayload } from "../../shared/queue/payload.ts";
import type { TimeUp } from "../../shared/result.ts";
import { isWithin, nextOpening, ownZone, parseWindow } from "../../shared/time-window.ts";

/** When a job may work, and how long. A dry run changes nothing and may always. */
type Times = Partial<Pick<ReducePayload, "between" | "maxTime" | "tz" | "dryRun">>;

/**
 * A job begins only within its window.
 *
 * @throws JobsError `outside-window`, with `opensAt` (ms since 1970) among the details
 */
export function assertInWindow({ between, tz = ownZone(), dryRun }: Times, now = Date.now()): void {
  if (between === undefined || dryRun) return;
  const window = parseWindow(between);
  if (isWithin(window, now, tz)) return;
  const opensAt = nextOpening(window, now, tz);
  throw new JobsError("outside-window", `it may work between ${between} (${tz}) only`, {
    hint: `it goes on by itself at ${new Date(opensAt).toISOString()} in a queue; otherwise run it then`,
    details: { between, tz, opensAt },
  });
}

/** The time that one job has, from now on. Asked between batches. */
export class TimeBudget {
  readonly #times: Times;
  readonly #began = performance.now();

  constructor(times: Times) {
    this.#times = times;
  }

  /** What has run out; undefined while there is time left. */
  up(): TimeUp["by"] | undefined {
    const { between, maxTime, tz = ownZone(), dryRun } = this.#times;
    if (dryRun) return undefined;
    if (maxTime !== undefined && performance.now() - this.#began >= maxTime) return "max-time";
    return between !== undefined && !isWithin(parseWindow(between), Date.now(), tz) ? "between" : undefined;
  }
}
