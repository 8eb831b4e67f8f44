import { type EChartsOption, init } from "echarts";
import type { BenchFigure } from "../bench/figure-list.ts";
import { median } from "../bench/report.ts";
import { readRecorded } from "../support/area/recorded.ts";

const width = 760;
const rowHeight = 34;
const frame = 110;
const color = { mtjobs: "#2563a8", script: "#b4541a", median: "#111111" };

/** What is quicker is drawn so, s: a logarithm has no place for none. */
const quickest = 0.05;

/** The plots of docs/ from what was recorded, each as an SVG document by its file name. */
export function drawAll(): Map<string, string> {
  return new Map([
    ["throughput.svg", plotThroughput()],
    ["wait.svg", plotWait()],
    ["growth.svg", plotGrowth()],
    ["recovery.svg", plotRecovery()],
  ]);
}

const byHand = "the script by hand = 1; a dot for each round";

function valuesOf(figure: BenchFigure): number[] {
  return readRecorded("bench").find((row) => row.figure === figure)?.values ?? [];
}

function plotThroughput(): string {
  const rate = (figure: BenchFigure) => valuesOf(figure).map((ratio) => 1 / ratio);
  return plotRows(`Speed of a reduce (${byHand})`, { min: 0, mark: 1 }, [
    { label: "alone", values: rate("time") },
    { label: "beside a writing client", values: rate("time-beside") },
  ]);
}

function plotWait(): string {
  const title = `Longest wait of a client that writes meanwhile (${byHand})`;
  return plotRows(title, { type: "log", min: 0.001, mark: 1 }, [
    { label: "its longest wait", values: valuesOf("wait") },
  ]);
}

/** Quickest fault first. */
function plotRecovery(): string {
  const byFault = new Map<string, number[]>();
  for (const { fault, restMs } of readRecorded("recovery")) {
    if (restMs === null) continue;
    byFault.set(fault, [...(byFault.get(fault) ?? []), Math.max(restMs / 1000, quickest)]);
  }
  const rows = [...byFault]
    .map(([label, values]) => ({ label, values }))
    .sort((a, b) => median(a.values) - median(b.values));
  const title = `Seconds from a fault's end until the area is at rest (less than ${quickest} is drawn there)`;
  return plotRows(title, { type: "log", min: quickest, mark: 60 }, rows);
}

interface Row {
  label: string;
  values: number[];
}

interface Axis {
  type?: "value" | "log";
  min: number;
  /** Where the line is that is to be met. */
  mark: number;
}

/** One row of dots for each of `rows`, with its median. */
function plotRows(title: string, { type = "value", min, mark }: Axis, rows: readonly Row[]): string {
  const dots = rows.flatMap(({ label, values }) => values.map((value) => [value, label]));
  const medians = rows.flatMap(({ label, values }) => (values.length > 0 ? [[median(values), label]] : []));
  const line = { symbol: "none", silent: true, label: { show: false }, lineStyle: { color: color.script } };
  return render(title, frame + rowHeight * rows.length, {
    grid: { left: 350, right: 30, top: 50, bottom: 45 },
    xAxis: { type, min, max: endOf(type, Math.max(mark, ...rows.flatMap(({ values }) => values))) },
    yAxis: { type: "category", data: rows.map(({ label }) => label), inverse: true },
    series: [
      { type: "scatter", data: dots, symbolSize: 7, itemStyle: { color: color.mtjobs, opacity: 0.55 } },
      {
        type: "scatter",
        data: medians,
        symbol: "diamond",
        symbolSize: 13,
        itemStyle: { color: color.median },
        markLine: { ...line, data: [{ xAxis: mark }] },
      },
    ],
  });
}

/** Where an axis ends on which `largest` is to be seen. */
function endOf(type: "value" | "log", largest: number): number {
  return type === "log" ? 10 ** Math.ceil(Math.log10(largest)) : Math.ceil(largest * 5 + 1) / 5;
}

function plotGrowth(): string {
  const rows = readRecorded("growth").toSorted((a, b) => a.runs - b.runs);
  const unit = rows[0]?.script ?? 1;
  const line = (side: "mtjobs" | "script", name: string) => ({
    type: "line" as const,
    name,
    data: rows.map((row) => [row.runs, row[side] / unit]),
    itemStyle: { color: color[side] },
    symbolSize: 8,
  });
  const title =
    "Time to move the same runs out of an area of so many (the script with the smallest area = 1)";
  return render(title, 330, {
    grid: { left: 60, right: 30, top: 80, bottom: 50 },
    legend: { top: 36 },
    xAxis: { type: "value", name: "runs in the area", nameLocation: "middle", nameGap: 30 },
    yAxis: { type: "value", min: 0 },
    series: [line("mtjobs", "mtjobs"), line("script", "the script by hand")],
  });
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
