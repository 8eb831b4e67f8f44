import uPlot from "uplot";
import { bytes, number } from "../data/format.ts";
import type { Points } from "./chart-points.ts";

/** Pixels; `.chart` in page.css reserves the space. */
const height = 240;

/** Draws sizes and runs over time into `place`, and redraws on a change of its width or the colour scheme. */
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
    if (width > 0) this.#plot = new uPlot({ width, height, ...this.#options() }, this.#points, this.#place);
  };

  #options(): Pick<uPlot.Options, "series" | "axes" | "scales"> {
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
        line("runs in megatest.db", "runs", "--line-3", number),
        line("runs in completed-runs.db", "runs", "--line-4", number),
      ],
      axes: [
        axis,
        { ...axis, scale: "bytes", size: 70, values: ticks(bytes) },
        { ...axis, scale: "runs", side: 1, grid: { show: false }, values: ticks(number) },
      ],
    };
  }
}
