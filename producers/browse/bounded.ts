import { quoteName } from "../../shared/sqlite/connection.ts";
import { foldName } from "../../shared/sqlite/names.ts";
import { shownId } from "../../shared/sqlite/run-id.ts";
import { isOddTime } from "../../shared/sqlite/times.ts";
import type { Value } from "../full-db/parameters.ts";

/** Maximum characters of a name or a path, and of any other text. */
const longestName = 4000;
const longestText = 1000;

/** Bytes of a list as JSON. The rest of a document, with one row that is too long, keeps it under 300 kB. */
const listBytes = 180_000;

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

/** Returns the first `most` characters, fewer if they are long as JSON: a control character has six bytes there. */
export function beginningOf(text: string, most = longestText): string {
  const bytes = (value: string) => Buffer.byteLength(JSON.stringify(value)) - 2;
  // Half a pair of surrogates is no text.
  const slice = (value: string, length: number) => value.slice(0, length).replace(/[\ud800-\udbff]$/, "");
  let cut = text.length <= most ? text : slice(text, most);
  for (let size = bytes(cut); size > 2 * most; size = bytes(cut))
    cut = slice(cut, Math.max(0, Math.floor((cut.length * 2 * most) / size) - 1));
  return cut;
}

/** Adds rows to a list until one would make it too long as JSON; that and all later ones are left out. The first is always added. */
export class BoundedList<Row> {
  readonly rows: Row[] = [];
  readonly #measure: (row: Row) => unknown;
  #left: number;

  /** @param measure what stands for a row in JSON */
  constructor(bytes = listBytes, measure: (row: Row) => unknown = (row) => row) {
    this.#left = bytes;
    this.#measure = measure;
  }

  /** Returns false if the row was left out. */
  add(row: Row): boolean {
    const bytes = Buffer.byteLength(JSON.stringify(this.#measure(row))) + 1;
    this.#left -= bytes;
    if (this.#left < 0 && this.rows.length > 0) return false;
    this.rows.push(row);
    return true;
  }
}

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
