import { BoundedList } from "../browse/bounded.ts";
import { jsonValue } from "../format/rows.ts";
import type { Value } from "../full-db/parameters.ts";
import type { RunningQuery } from "./start-query.ts";

/** Limits of the rows that are kept. */
export interface RowLimits {
  rows: number;
  /** Of the rows as JSON. */
  bytes: number;
}

export interface BoundedRows {
  rows: Value[][];
  /** There are more rows. */
  truncated: boolean;
}

/** Reads the rows of a query until there are enough, and stops it then. @throws {JobsError} as `batches` */
export async function readBoundedRows(query: RunningQuery, limits: RowLimits): Promise<BoundedRows> {
  const list = new BoundedList<Value[]>(limits.bytes, (row) => row.map(jsonValue));
  for await (const rows of query.batches()) {
    for (const row of rows)
      if (list.rows.length === limits.rows || !list.add(row)) return { rows: list.rows, truncated: true };
  }
  return { rows: list.rows, truncated: false };
}
