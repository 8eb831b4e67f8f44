import { join } from "node:path";
import { type ForecastPlace, forecastArea } from "../areas/forecast.ts";
import { Reread } from "../areas/reread.ts";
import type { AreaForecast } from "../contract/area.ts";

/** What a reduce would free, and how fast the area grows; null if it is unknown. */
export type AreaGain = Pick<AreaForecast, "movable" | "growthBytesPerWeek">;

/** Milliseconds for one round over all areas; what is left is for the next. */
const roundMs = 5_000;

/** Estimates for all areas; each is read again at most every few minutes. */
export class AreaGains {
  readonly #known = new Reread<AreaGain>();

  /** Returns the estimates by path, as far as they have been read. */
  read(paths: readonly string[], place: ForecastPlace): Map<string, AreaGain> {
    const deadline = performance.now() + roundMs;
    const found = new Map<string, AreaGain>();
    for (const path of paths) {
      const gain =
        performance.now() > deadline
          ? this.#known.last(path)
          : this.#known.of(path, [join(path, "megatest.db")], () => forecastArea(path, undefined, place));
      if (gain !== undefined) found.set(path, gain);
    }
    return found;
  }
}
