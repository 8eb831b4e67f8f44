import { once } from "node:events";
import type { Writable } from "node:stream";
import Table from "cli-table3";

export interface TableOptions {
  head?: readonly string[];
  /** Indexes of the right-aligned columns. */
  right?: readonly number[];
  indent?: string;
}

const noBorders = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
} as const;

/** Aligns columns without borders or colours, for people and for `awk`. */
export function textTable(
  rows: readonly (readonly (string | number)[])[],
  options: TableOptions = {},
): string {
  const { head = [], right = [], indent = "" } = options;
  const columns = Math.max(head.length, ...rows.map((row) => row.length));
  const table = new Table({
    chars: noBorders,
    colAligns: Array.from({ length: columns }, (_, index) => (right.includes(index) ? "right" : "left")),
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true },
  });
  if (head.length > 0) table.push([...head]);
  // Control characters in a run's name must not reach the terminal.
  for (const row of rows) table.push(row.map((cell) => printable(String(cell))));
  return table
    .toString()
    .split("\n")
    .map((line) => `${indent}${line}`.trimEnd())
    .join("\n");
}

/** Returns the text with control characters (escape sequences, line breaks) made visible. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}]/gu,
    (character) => `\\u${character.codePointAt(0)?.toString(16).padStart(4, "0")}`,
  );
}

/** The output cannot be written; `cause` says why. Node does not keep errors of a process's own streams. */
export class OutputFailure extends Error {
  override readonly name = "OutputFailure";
}

const outputFailure = (cause: unknown) => new OutputFailure("cannot write the output", { cause });

/**
 * Writes text and waits until the stream has room, so that a slow reader does not make memory grow.
 *
 * @throws OutputFailure for this or an earlier write
 */
export async function write(stream: Writable, text: string): Promise<void> {
  if (stream.errored) throw outputFailure(stream.errored);
  if (text === "" || stream.write(text)) return;
  try {
    await once(stream, "drain");
  } catch (error) {
    throw outputFailure(error);
  }
}

/** Waits until the stream has written everything. Returns the error if it has not. */
export async function writeFailure(stream: Writable): Promise<Error | undefined> {
  if (stream.errored) return stream.errored;
  return await new Promise((resolve) => {
    stream.write("", (error) => resolve(error ?? undefined));
  });
}
