import type { MovedTable } from "../../shared/record-tables.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { idList } from "../../shared/sqlite/ids.ts";
import type { JobSession } from "./move.ts";

/** Counts the rows of these runs in each table of completed-runs.db, without the runs themselves. */
export function runRows(
  { db, records }: JobSession,
  runs: readonly bigint[],
): [Exclude<MovedTable, "runs">, number][] {
  const list = idList(runs);
  return records.flatMap(({ table, parent }) => {
    if (table === "runs") return [];
    const from =
      parent === "run_id"
        ? `json_each(?) AS j CROSS JOIN completed.${table} AS d ON d.run_id = j.value`
        : `json_each(?) AS j CROSS JOIN completed.tests AS t ON t.run_id = j.value
           CROSS JOIN completed.${table} AS d ON d.test_id = t.id`;
    const count = prepared<[string], number>(db, `SELECT count(*) FROM ${from}`).pluck().get(list) ?? 0;
    return [[table, count] as [Exclude<MovedTable, "runs">, number]];
  });
}
