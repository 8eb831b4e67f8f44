import type { Writable } from "node:stream";
import { type JobsError, toJobsError } from "../../shared/errors.ts";
import { jsonValue, rowsCsv, rowsTable, uniqueNames } from "../format/rows.ts";
import { write } from "../format/table.ts";
import type { Value } from "../full-db/parameters.ts";
import type { RunningQuery } from "./start-query.ts";

/** A table is aligned some hundred rows at a time, so that output starts early. */
export type RowFormat = "table" | "csv" | "json";

/**
 * Prints a query's rows as they arrive. An error on the way is returned, not thrown; a JSON document is closed with
 * `"error"` then.
 *
 * @param head members before the columns of a JSON document
 */
export async function printRows(
  query: RunningQuery,
  format: RowFormat,
  stdout: Writable,
  head: Record<string, unknown>,
): Promise<JobsError | undefined> {
  const printer = { table: tablePrinter, csv: csvPrinter, json: jsonPrinter }[format](query.columns, head);
  let error: JobsError | undefined;
  await write(stdout, printer.begin);
  try {
    for await (const rows of query.batches()) await write(stdout, printer.rows(rows));
  } catch (thrown) {
    error = toJobsError(thrown);
  }
  await write(stdout, printer.end(error));
  return error;
}

interface Printer {
  begin: string;
  rows(rows: Value[][]): string;
  end(error: JobsError | undefined): string;
}

function tablePrinter(columns: readonly string[]): Printer {
  let head: readonly string[] | undefined = columns;
  const table = (rows: Value[][]) => {
    const text = `${rowsTable(rows, head)}\n`;
    head = undefined;
    return text;
  };
  return {
    begin: "",
    rows: table,
    end: (error) => (head === undefined || error !== undefined ? "" : table([])),
  };
}

function csvPrinter(columns: readonly string[]): Printer {
  return { begin: rowsCsv([[...columns]]), rows: rowsCsv, end: () => "" };
}

function jsonPrinter(columns: readonly string[], head: Record<string, unknown>): Printer {
  const names = uniqueNames(columns);
  let separator = "\n";
  const line = (row: Value[]) => {
    const text =
      separator +
      JSON.stringify(Object.fromEntries(row.map((value, index) => [names[index], jsonValue(value)])));
    separator = ",\n";
    return text;
  };
  return {
    begin: `${JSON.stringify({ ...head, columns: names }).slice(0, -1)},"rows":[`,
    rows: (rows) => rows.map(line).join(""),
    end: (error) => `\n]${error === undefined ? "" : `,"error":${JSON.stringify(error.toDocument())}`}}\n`,
  };
}
