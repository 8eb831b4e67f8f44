import type { ErrorDocument } from "../../shared/error-document.ts";
import type { ReadFiles } from "../full-db/locate.ts";
import type { Value } from "../full-db/parameters.ts";

export interface QueryRequest {
  files: ReadFiles;
  sql: string;
  fullDb: boolean;
  /** Undefined: none. */
  limits?: QueryLimits | undefined;
}

/** What one query may use, so that neither its process nor the reader of its rows needs much memory. */
export interface QueryLimits {
  /** Resident bytes of its process; it may have some more for an instant. */
  memoryBytes: number;
  /** Maximum characters of a value; a longer one is cut. */
  cell: number;
  /** Maximum bytes of a row, and of all column names, as JSON. Values of a longer row are cut. */
  rowBytes: number;
}

/** Messages to the query process: `more` allows one more message of rows. */
export type ToQuery = { type: "start"; request: QueryRequest } | { type: "more" };

/** Where a value was cut: its row, counted from the first one or in the same message, and its column. */
export type CutPlace = [row: number, column: number];

/** Messages from the query process. `columns` comes first, `end` or `error` last. */
export type FromQuery =
  | { type: "columns"; columns: string[] }
  | { type: "rows"; rows: Value[][]; cut: CutPlace[] }
  | { type: "end" }
  | { type: "error"; error: ErrorDocument };

export const rowsPerMessage = 500;
/** A message with more bytes is sent with fewer rows. */
export const bytesPerMessage = 256 * 1024;
/** Messages sent before the reader must ask for more; bounds the memory used. */
export const messagesAhead = 4;

/** Ends a query's process that needs too much memory: SQLite's own limit is compiled out of better-sqlite3. */
export const outOfMemorySignal = "SIGUSR2";
