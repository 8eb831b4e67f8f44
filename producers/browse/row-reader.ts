import { quoteName } from "../../shared/sqlite/connection.ts";
import { foldName } from "../../shared/sqlite/names.ts";
import { shownId } from "../../shared/sqlite/run-id.ts";
import { isOddTime } from "../../shared/sqlite/times.ts";
import type { Value } from "../full-db/parameters.ts";

import { beginningOf, longestName, longestText } from "./bounded.ts";

/**
 * SQL: a column of row `r`, but only the beginning of a very long value, so that no such value is loaded. Cut by bytes,
 * because `substr` of text ends at a NUL; a value that was cut stays longer than any limit here.
 */
export function startOf(column: string): string {
  const name = `r.${quoteName(column)}`;
  const bytes = 4 * longestName + 4;
  return `iif(octet_length(${name}) > ${bytes}, CAST(substr(CAST(${name} AS BLOB), 1, ${bytes}) AS TEXT), ${name})`;
}

/** SQL: seconds since 1970; 0 for a value that is none. */
export const secondsOrZero = (column: string) =>
  `CASE WHEN ${isOddTime(column)} THEN 0 ELSE coalesce(CAST(${column} AS INTEGER), 0) END`;

/** Reads values of one row, whose column names are folded, as members of a document, and notes which were cut. */
export class RowReader {
  readonly #row: Readonly<Record<string, Value>>;
  readonly #cut: string[] = [];

  constructor(row: Readonly<Record<string, Value>>) {
    this.#row = row;
  }

  text(column: string, member = column, most = longestText): string | null {
    const value = this.#row[foldName(column)] ?? null;
    if (value === null) return null;
    const text = value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : String(value);
    return this.#beginning(text, member, most);
  }

  name(column: string, member = column): string | null {
    return this.text(column, member, longestName);
  }

  /** The values of several columns, joined by `/`. */
  joined(columns: readonly string[], member: string): string {
    const values = columns.map((column) => this.text(column, member, longestName) ?? "");
    return this.#beginning(values.join("/"), member, longestName);
  }

  /** Any number; an integer that a number cannot represent, and text in a numeric column, as text. */
  number(column: string, member = column): number | string | null {
    const value = this.#row[foldName(column)] ?? null;
    if (typeof value === "bigint") return shownId(value);
    if (typeof value === "number" && Number.isFinite(value)) return value;
    return this.text(column, member);
  }

  /** Null for a value that is no number of seconds. */
  plainNumber(column: string): number | null {
    const value = this.#row[foldName(column)] ?? null;
    const number = typeof value === "bigint" || typeof value === "number" ? Number(value) : Number.NaN;
    return Number.isFinite(number) ? number : null;
  }

  /** For a column that `secondsOrZero` gave. */
  seconds(column: string): number | null {
    const value = this.plainNumber(column);
    return value === 0 ? null : value;
  }

  get id(): bigint {
    return this.#row.id as bigint;
  }

  markCut(member: string): void {
    this.#cut.push(member);
  }

  #beginning(text: string, member: string, most: number): string {
    const cut = beginningOf(text, most);
    if (cut !== text) this.markCut(member);
    return cut;
  }

  /** The last members of the document. */
  get cut(): { cut?: string[] } {
    return this.#cut.length === 0 ? {} : { cut: [...new Set(this.#cut)] };
  }
}
