import { stringify } from "csv-stringify/sync";
import { shownId } from "../../shared/sqlite/run-id.ts";
import type { Value } from "../full-db/parameters.ts";
import { printable } from "./table.ts";

/** Returns column names as unique JSON keys: duplicates get `:1`, `:2`, as in SQLite. */
export function uniqueNames(columns: readonly string[]): string[] {
  const taken = new Set<string>();
  return columns.map((column) => {
    let name = column;
    for (let n = 1; taken.has(name); n++) name = `${column}:${n}`;
    taken.add(name);
    return name;
  });
}

/** Returns a value as JSON: a large integer as text, a blob as `{ "base64": "…" }`. */
export function jsonValue(value: Value): unknown {
  if (typeof value === "bigint") return shownId(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  return value instanceof Uint8Array ? { base64: Buffer.from(value).toString("base64") } : value;
}

/**
 * Formats rows as a table: NULL as `NULL`, blobs in hexadecimal, numbers right-aligned. `columns` adds a head. The
 * table library used elsewhere takes 25 times as long, during which the database would be locked.
 */
export function rowsTable(rows: readonly (readonly Value[])[], columns?: readonly string[]): string {
  const cells = rows.map((row) =>
    row.map((value) => (value === null ? "NULL" : printable(plainText(value)))),
  );
  const lines = columns === undefined ? cells : [columns.map(printable), ...cells];
  const widths = (lines[0] ?? []).map((_, index) =>
    Math.max(...lines.map((line) => line[index]?.length ?? 0)),
  );
  const numeric = (rows[0] ?? []).map((value) => typeof value === "bigint" || typeof value === "number");
  const padded = (cell: string, index: number) =>
    numeric[index] === true ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0);
  return lines.map((line) => line.map(padded).join("  ").trimEnd()).join("\n");
}

/** Formats rows as in RFC 4180, NULL as an empty field; ends with a line break. */
export function rowsCsv(rows: readonly (readonly Value[])[]): string {
  return stringify(rows.map((row) => row.map((value) => (value === null ? "" : plainText(value)))));
}

function plainText(value: Exclude<Value, null>): string {
  return value instanceof Uint8Array ? `x'${Buffer.from(value).toString("hex")}'` : String(value);
}
