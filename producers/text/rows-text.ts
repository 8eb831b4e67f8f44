import { stringify } from "csv-stringify/sync";
import type { Value } from "../../shared/full-db/parameters.ts";
import { shownId } from "../../shared/run-id.ts";
import { printable } from "./table.ts";

/** Column names as keys of JSON objects: of several alike the later ones get `:1`, `:2`, as SQLite names them. */
export function uniqueNames(columns: readonly string[]): string[] {
  const taken = new Set<string>();
  return columns.map((column) => {
    let name = column;
    for (let n = 1; taken.has(name); n++) name = `${column}:${n}`;
    taken.add(name);
    return name;
  });
}

/** A value as JSON can hold it: a large integer as text, a blob as `{ "base64": "…" }`. */
export function jsonValue(value: Value): unknown {
  if (typeof value === "bigint") return shownId(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  return value instanceof Uint8Array ? { base64: Buffer.from(value).toString("base64") } : value;
}

/**
 * Rows lined up, NULL as `NULL`, blobs in hexadecimal, numbers to the right. `columns` makes a head. The library that
 * makes our other tables takes 25 times as long, which a large result would spend with the database locked.
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

/** Rows as RFC 4180 has them, NULL as nothing; ends with a line break. */
export function rowsCsv(rows: readonly (readonly Value[])[]): string {
  return stringify(rows.map((row) => row.map((value) => (value === null ? "" : plainText(value)))));
}

function plainText(value: Exclude<Value, null>): string {
  return value instanceof Uint8Array ? `x'${Buffer.from(value).toString("hex")}'` : String(value);
}
