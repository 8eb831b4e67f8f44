import { type EChartsOption, init } from "echarts";
import { median } from "../bench/report.ts";
import { readRecorded } from "../support/recorded.ts";

const width = 760;
const rowHeight = 34;
const frame = 110;
const color = { mtjobs: "#2563a8", script: "#b4541a", middle: "#111111" };

/** The plots of docs/ from what was recorded, each as an SVG document by its file name. */
export function drawAll(): Map<string, string> {
  const bench = new Map(readRecorded("bench").map(({ figure, values }) => [figure, values]));
  const valuesOf = (figure: string) => bench.get(figure) ?? [];
  const rate = (figure: string) => valuesOf(figure).map((ratio) => 1 / ratio);
  const byHand = "a script by hand = 1; one dot for each round, a diamond for the median";
  return new Map([
    [
      "throughput.svg",
      plotRows(`Runs moved a second (${byHand})`, { min: 0 }, [
        { label: "alone", values: rate("total time, mtjobs / script") },
        {
          label: "beside a writing client",
          values: rate("the same beside a writing client, mtjobs / script"),
        },
      ]),
    ],
    [
      "wait.svg",
      plotRows(`Longest wait of a client that writes meanwhile (${byHand})`, { type: "log", min: 0.001 }, [
        { label: "its longest wait", values: valuesOf("longest wait of a writing client, mtjobs / script") },
      ]),
    ],
    ["growth.svg", plotGrowth()],
    ["recovery.svg", plotRecovery()],
  ]);
}

interface Row {
  label: string;
  values: number[];
}

/** One row of dots for each of `rows`, with its median. */
function plotRows(title: string, axis: { type?: "log"; min: number; max?: number }, rows: Row[]): string {
  const labels = rows.map(({ label }) => label);
  const dots = rows.flatMap(({ label, values }) => values.map((value) => [value, label]));
  const medians = rows.flatMap(({ label, values }) => (values.length > 0 ? [[median(values), label]] : []));
  return render(title, frame + rowHeight * rows.length, {
    grid: { left: 250, right: 30, top: 50, bottom: 45 },
    xAxis: { type: axis.type ?? "value", min: axis.min, ...(axis.max ? { max: axis.max } : {}) },
    yAxis: { type: "category", data: labels, inverse: true },
    series: [
      { type: "scatter", data: dots, symbolSize: 7, itemStyle: { color: color.mtjobs, opacity: 0.55 } },
      {
        type: "scatter",
        data: medians,
        symbol: "diamond",
        symbolSize: 13,
        itemStyle: { color: color.middle },
        // What the script takes, or how long a lease lasts: the line that is to be met.
        markLine: {
          symbol: "none",
          silent: true,
          label: { show: false },
          lineStyle: { color: color.script },
          data: [{ xAxis: axis.max ?? 1 }],
        },
      },
    ],
  });
}

function plotGrowth(): string {
  const rows = readRecorded("growth").toSorted((a, b) => a.runs - b.runs);
  const [first] = rows;
  const line = (side: "mtjobs" | "script", name: string) => ({
    type: "line" as const,
    name,
    data: rows.map((row) => [row.runs, first === undefined ? 0 : row[side] / first[side]]),
    itemStyle: { color: color[side] },
    symbolSize: 8,
  });
  const title = "Time to move the same runs out of an area of so many (the smallest area = 1)";
  return render(title, 330, {
    grid: { left: 60, right: 30, top: 80, bottom: 50 },
    legend: { top: 36 },
    xAxis: { type: "value", name: "runs in the area", nameLocation: "middle", nameGap: 30 },
    yAxis: { type: "value", min: 0 },
    series: [line("mtjobs", "mtjobs"), line("script", "a script by hand")],
  });
}

/** Fastest fault first. */
function plotRecovery(): string {
  const rows = readRecorded("recovery");
  const byFault = new Map<string, number[]>();
  for (const { fault, restMs } of rows) {
    // A logarithm needs something to show: what was at rest at once counts as a twentieth of a second.
    byFault.set(fault, [...(byFault.get(fault) ?? []), Math.max(restMs / 1000, 0.05)]);
  }
  const sorted = [...byFault]
    .map(([label, values]) => ({ label, values }))
    .sort((a, b) => median(a.values) - median(b.values));
  const title =
    "Seconds from a fault's end until the area is at rest (a dot for each step, a diamond for the median)";
  return plotRows(title, { type: "log", min: 0.05, max: 60 }, sorted);
}

function render(title: string, height: number, option: EChartsOption): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: "#ffffff",
      textStyle: { fontFamily: "sans-serif" },
      title: { text: title, textStyle: { fontSize: 13 }, left: 8, top: 8 },
      ...option,
    });
    // Classes are numbered by how many charts were drawn before.
    return `${chart.renderToSVGString().replaceAll(/zr\d+-/g, "")}\n`;
  } finally {
    chart.dispose();
  }
}
