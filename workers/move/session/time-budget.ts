import type { TimeUp } from "../../../shared/contract/move-result.ts";
import type { ReducePayload } from "../../../shared/contract/payload.ts";
import { JobsError } from "../../../shared/errors.ts";
import { isWithin, nextOpening, ownZone, parseWindow, zonedText } from "../../../shared/time/time-window.ts";

/** When and how long a job may work. A dry run may at any time. */
type Times = Partial<Pick<ReducePayload, "between" | "maxTime" | "tz" | "dryRun">>;

/**
 * Checks that a job begins within its window.
 *
 * @throws JobsError `outside-window`, with `opensAt` (ms since 1970) in the details
 */
export function assertInWindow({ between, tz: zone, dryRun }: Times, now = Date.now()): void {
  if (between === undefined || dryRun) return;
  const tz = zone ?? ownZone();
  const window = parseWindow(between);
  if (isWithin(window, now, tz)) return;
  const opensAt = nextOpening(window, now, tz);
  throw new JobsError("outside-window", `the job may run only between ${between} (${tz})`, {
    hint: `a queued job continues automatically at ${zonedText(opensAt, tz)}; otherwise run it then`,
    details: { between, tz, opensAt },
  });
}

/** The remaining time of one job. Checked between batches. */
export class TimeBudget {
  readonly #times: Times;
  readonly #began = performance.now();

  constructor(times: Times) {
    this.#times = times;
  }

  /** Returns the limit that was reached; undefined while there is time left. */
  up(): TimeUp["by"] | undefined {
    const { between, maxTime, tz, dryRun } = this.#times;
    if (dryRun) return undefined;
    if (maxTime !== undefined && performance.now() - this.#began >= maxTime) return "max-time";
    if (between === undefined || isWithin(parseWindow(between), Date.now(), tz ?? ownZone()))
      return undefined;
    return "between";
  }
}
