import type { ErrorDocument } from "../../shared/errors.ts";
import type { ReadFiles } from "../../shared/full-db/locate.ts";
import type { Value } from "../../shared/full-db/parameters.ts";

/** What the process that runs a query is started with. */
export interface QueryRequest {
  files: ReadFiles;
  sql: string;
  fullDb: boolean;
}

/** From the process that asks to the one that runs the query: `more` lets it send as many rows again. */
export type ToQuery = { type: "start"; request: QueryRequest } | { type: "more" };

/** The other way. `columns` comes first, `end` or `error` last. */
export type FromQuery =
  | { type: "columns"; columns: string[] }
  | { type: "rows"; rows: Value[][] }
  | { type: "end" }
  | { type: "error"; error: ErrorDocument };

/** Rows in one message. */
export const rowsPerMessage = 500;
/** Messages under way before the reader must ask for more: what is in memory at most. */
export const messagesAhead = 4;
