import { html, type TemplateResult } from "lit-html";
import type uPlot from "uplot";
import { bytes, clock, number, shown } from "../data/format.ts";
import { fromZero, Plot, type PlotStyle, ticks } from "./plot.ts";
import { type JobMark, type SizeLines, timeRange } from "./size-lines.ts";

/** Both plots have one cursor and one axis of time. */
const cursor: uPlot.Cursor = { sync: { key: "sizes" } };
/** Pixels for the amounts, the same in both plots, so that their times are aligned. */
const amountWidth = 72;

const kinds: Record<string, string> = {
  reduce: "--line-1",
  restore: "--line-2",
  purge: "--line-3",
  import: "--line-4",
};

/** Reserves the place of the plots. */
export const sizePlaces: TemplateResult = html`<figure
    class="chart sizes"
    role="img"
    aria-label="Sizes of megatest.db and completed-runs.db over time; the last jobs are listed below"
  ></figure>
  <figure
    class="chart sizes"
    role="img"
    aria-label="Runs in megatest.db and completed-runs.db over time; the last jobs are listed below"
  ></figure>
  <p class="quiet">Each mark is a job: <span class="reduce">▼ reduce</span>, <span class="restore">▼ restore</span>,
    <span class="purge">▼ purge</span>, <span class="import">▼ import</span>.</p>`;

/** Draws sizes into the first place, and runs into the second. */
export function sizePlots([first, second]: readonly HTMLElement[], lines: SizeLines): Plot[] {
  if (first === undefined || second === undefined) return [];
  const plot = (place: HTMLElement, of: "bytes" | "runs", show: (count: number | null) => string) =>
    new Plot(place, [lines.times, ...lines[of]], (style) => optionsOf(style, lines, of, show));
  return [plot(first, "bytes", bytes), plot(second, "runs", number)];
}

function optionsOf(
  { colour, axis }: PlotStyle,
  { times, moments, marks }: SizeLines,
  scale: "bytes" | "runs",
  show: (count: number | null) => string,
): Omit<uPlot.Options, "width" | "height"> {
  const line = (label: string, stroke: string): uPlot.Series => ({
    ...{ label, scale, stroke: colour(stroke), width: 2, spanGaps: true, points: { show: true, size: 6 } },
    value: (_plot, count) => show(count),
  });
  const moment: uPlot.Series = {
    label: "time",
    value: (_plot, time, _series, index) =>
      time === null || index === null
        ? "–"
        : shown(`${clock(new Date(time * 1000).toISOString())}, ${moments[index] ?? ""}`),
  };
  const what = scale === "runs" ? "runs in " : "";
  return {
    cursor,
    scales: { x: { range: () => timeRange(times) }, [scale]: fromZero },
    series: [moment, line(`${what}megatest.db`, "--line-1"), line(`${what}completed-runs.db`, "--line-2")],
    axes: [axis, { ...axis, scale, size: amountWidth, values: ticks(show) }],
    hooks: { draw: [(plot) => drawMarks(plot, marks, colour)] },
  };
}

/** Draws a line and a triangle for each job. */
function drawMarks(plot: uPlot, marks: readonly JobMark[], colour: PlotStyle["colour"]): void {
  const { ctx, bbox } = plot;
  const size = 5 * devicePixelRatio;
  ctx.save();
  for (const { at, job } of marks) {
    const x = plot.valToPos(at, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const stroke = colour(kinds[job ?? ""] ?? "--pico-muted-color");
    ctx.strokeStyle = stroke;
    ctx.fillStyle = stroke;
    ctx.globalAlpha = 0.35;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.globalAlpha = 1;
    ctx.beginPath();
    ctx.moveTo(x - size, bbox.top);
    ctx.lineTo(x + size, bbox.top);
    ctx.lineTo(x, bbox.top + 1.6 * size);
    ctx.fill();
  }
  ctx.restore();
}
