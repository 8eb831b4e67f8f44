import { JobsError } from "../../shared/errors.ts";
import { beginningOf } from "../browse/bounded.ts";
import type { Value } from "../full-db/parameters.ts";
import type { QueryLimits } from "./query-messages.ts";

/** Maximum characters of a column's name, which is the text of its expression if it has no other. */
const longestColumn = 200;

const jsonBytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

/** Cuts long names. @throws {JobsError} `bad-query` for more than a row may have */
export function boundedColumns(columns: readonly string[], limits: QueryLimits | undefined): string[] {
  if (limits === undefined) return [...columns];
  const names = columns.map((name) => beginningOf(name, longestColumn));
  if (jsonBytes(names) <= limits.rowBytes) return names;
  throw new JobsError("bad-query", `the query has ${columns.length} columns, more than an answer may have`, {
    hint: "select fewer columns",
  });
}

/**
 * Cuts the values of a row; `cut` has their columns, `bytes` is its length as JSON, about, and `dropped` that of what
 * was cut off, characters or bytes.
 */
export function boundedRow(
  row: readonly Value[],
  { cell, rowBytes }: QueryLimits,
): { values: Value[]; cut: number[]; bytes: number; dropped: number } {
  let [bytes, dropped] = [0, 0];
  const cut: number[] = [];
  const values = row.map((value, column) => {
    // As JSON a text has twice as many bytes as `beginningOf` gives it characters, at most.
    const most = Math.max(0, Math.min(cell, Math.floor((rowBytes - bytes) / 2)));
    const kept = beginningOfValue(value, most);
    if (kept !== value) {
      cut.push(column);
      dropped += lengthOf(value) - lengthOf(kept);
    }
    bytes +=
      typeof kept === "string" ? jsonBytes(kept) + 1 : kept instanceof Uint8Array ? 2 * kept.length + 20 : 24;
    return kept;
  });
  return { values, cut, bytes, dropped };
}

const lengthOf = (value: Value) =>
  typeof value === "string" || value instanceof Uint8Array ? value.length : 0;

function beginningOfValue(value: Value, most: number): Value {
  if (typeof value === "string") return beginningOf(value, most);
  if (value instanceof Uint8Array && value.length > most) return Buffer.from(value.subarray(0, most));
  return value;
}
