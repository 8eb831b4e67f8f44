import uPlot from "uplot";
import type { HistoryLine } from "./documents.ts";
import { bytes, number } from "./words.ts";

/** Pixels; as `.chart` in overview.css leaves room for. */
const height = 240;

/** Seconds since 1970, then the three lines; null where a job tells nothing of it. */
type Points = [number[], (number | null)[], (number | null)[], (number | null)[]];

/**
 * The points of an area's history. Runs in completed-runs.db are reckoned back from how many there are now: each job
 * tells how many it moved.
 */
export function pointsOf(history: readonly HistoryLine[], completedRuns: number | null): Points {
  const points: Points = [[], [], [], []];
  let runs = completedRuns;
  for (const { at = "", job, bytes: sizes, moved } of history.toReversed()) {
    const time = Date.parse(at) / 1000;
    if (!Number.isNaN(time)) {
      points[0].push(time);
      points[1].push(sizes?.["megatest.db"]?.after ?? null);
      points[2].push(sizes?.["completed-runs.db"]?.after ?? null);
      points[3].push(runs);
    }
    const came = job === "restore" ? -(moved?.runs ?? 0) : (moved?.runs ?? 0);
    runs = runs === null ? null : Math.max(0, runs - came);
  }
  for (const line of points) line.reverse();
  return points;
}

/** Draws sizes and runs over time into `place`, and again whenever its width or the colours change. */
export class SizeChart {
  readonly #place: HTMLElement;
  readonly #points: Points;
  readonly #resized: ResizeObserver;
  readonly #scheme = matchMedia("(prefers-color-scheme: dark)");
  #plot: uPlot | undefined;

  constructor(place: HTMLElement, points: Points) {
    this.#place = place;
    this.#points = points;
    this.#resized = new ResizeObserver(() => this.#draw());
    this.#resized.observe(place);
    this.#scheme.addEventListener("change", this.#draw);
  }

  remove(): void {
    this.#resized.disconnect();
    this.#scheme.removeEventListener("change", this.#draw);
    this.#plot?.destroy();
  }

  readonly #draw = (): void => {
    const width = this.#place.clientWidth;
    this.#plot?.destroy();
    if (width > 0) this.#plot = new uPlot({ width, height, ...this.#look() }, this.#points, this.#place);
  };

  #look(): Pick<uPlot.Options, "series" | "axes" | "scales"> {
    const style = getComputedStyle(this.#place);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--pico-color"), grid: { stroke: colour("--pico-table-border-color") } };
    const line = (label: string, scale: string, stroke: string, value: (count: number | null) => string) => ({
      ...{ label, scale, stroke: colour(stroke), width: 2, spanGaps: true, points: { size: 6 } },
      value: (_plot: uPlot, count: number | null) => value(count),
    });
    const ticks = (show: (count: number) => string) => (_plot: uPlot, counts: number[]) => counts.map(show);
    return {
      scales: {
        bytes: { range: (_plot, _low, high) => [0, Math.max(high * 1.05, 1)] },
        runs: { range: (_plot, _low, high) => [0, Math.max(high * 1.05, 1)] },
      },
      series: [
        {},
        line("megatest.db", "bytes", "--line-1", bytes),
        line("completed-runs.db", "bytes", "--line-2", bytes),
        line("runs in completed-runs.db", "runs", "--line-3", number),
      ],
      axes: [
        axis,
        { ...axis, scale: "bytes", size: 70, values: ticks(bytes) },
        { ...axis, scale: "runs", side: 1, grid: { show: false }, values: ticks(number) },
      ],
    };
  }
}
