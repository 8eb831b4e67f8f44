import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { type Cell, readRows } from "./read-rows.ts";

const tables =
  "runs tests test_steps test_data run_stats extradat test_rundat archives mtjobs_runs mtjobs_archived".split(
    " ",
  );

/** The rows of completed-runs.db that belong to runs, by table; without when a run was last looked at. */
export function movedRows(area: SampleArea): Record<string, Record<string, Cell>[]> {
  const rowsOf = (table: string) =>
    readRows(join(area.directory, "completed-runs.db"), `SELECT * FROM ${table} ORDER BY 1`);
  return Object.fromEntries(
    tables.map((table) => [table, rowsOf(table).map(({ looked_at: _looked, ...row }) => row)]),
  );
}

export const noRows = Object.fromEntries(tables.map((table) => [table, []]));

/** The paths of the exports in a directory. */
export const exportsIn = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => name.startsWith("run-"))
    .sort()
    .map((name) => join(directory, name));
