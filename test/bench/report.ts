import { type Recorded, record } from "../support/recorded.ts";

/** One line of what a bench prints. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The middle one, the upper of the two where their count is even. */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number;
}

/** Says what a figure came to, and keeps it for docs/benchmarks.md. */
export function tell({ figure, aim, values }: Recorded["bench"]): void {
  const of = values.length === 1 ? "" : ` (median of ${values.length})`;
  say(`${figure}${of}: ${median(values).toFixed(3)}; aim: ${aim}`);
  record("bench", { figure, aim, values: values.map((value) => Number(value.toFixed(3))) });
}
