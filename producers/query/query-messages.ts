import type { ErrorDocument } from "../../shared/error-document.ts";
import type { ReadFiles } from "../full-db/locate.ts";
import type { Value } from "../full-db/parameters.ts";

export interface QueryRequest {
  files: ReadFiles;
  sql: string;
  fullDb: boolean;
}

/** Messages to the query process: `more` allows one more message of rows. */
export type ToQuery = { type: "start"; request: QueryRequest } | { type: "more" };

/** Messages from the query process. `columns` comes first, `end` or `error` last. */
export type FromQuery =
  | { type: "columns"; columns: string[] }
  | { type: "rows"; rows: Value[][] }
  | { type: "end" }
  | { type: "error"; error: ErrorDocument };

export const rowsPerMessage = 500;
/** Messages sent before the reader must ask for more; bounds the memory used. */
export const messagesAhead = 4;
