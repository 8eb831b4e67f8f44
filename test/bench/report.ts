/** One line of what a bench prints. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The middle one, the upper of the two where their count is even. */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number;
}
