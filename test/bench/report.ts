import { record } from "../support/area/recorded.ts";
import { type BenchFigure, benchFigures } from "./figure-list.ts";

/** One line of what a bench prints. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The middle one; half way between the two where their count is even. NaN of none. */
export function median(numbers: readonly number[]): number {
  const ordered = numbers.toSorted((a, b) => a - b);
  const half = (ordered.length - 1) / 2;
  return ((ordered[Math.floor(half)] ?? Number.NaN) + (ordered[Math.ceil(half)] ?? Number.NaN)) / 2;
}

/** For a reader who wants to see the same. */
export const benchOptions = process.argv.slice(2).join(" ");

/** Says what a figure came to, and keeps it for docs/benchmarks.md. */
export function tell(figure: BenchFigure, values: readonly number[]): void {
  const { says, aim } = benchFigures[figure];
  if (values.length === 0 || !values.every(Number.isFinite))
    throw new RangeError(`${says}: was not measured`);
  const of = values.length === 1 ? "" : ` (median of ${values.length})`;
  say(`${says}${of}: ${median(values).toFixed(3)}; aim: ${aim}`);
  record("bench", { figure, options: benchOptions, values: values.map((value) => Number(value.toFixed(3))) });
}
