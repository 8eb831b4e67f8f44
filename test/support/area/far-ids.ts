import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { edit, everywhere, type Place } from "./edit-area.ts";

/** Tables with records, and the columns of other tables that refer to their ids. */
const references: Record<string, readonly (readonly [string, string])[]> = {
  runs: [
    ["tests", "run_id"],
    ["run_stats", "run_id"],
    ["extradat", "run_id"],
  ],
  tests: [
    ["test_steps", "test_id"],
    ["test_data", "test_id"],
    ["test_rundat", "test_id"],
    ["archives", "test_id"],
  ],
  test_steps: [],
  test_data: [],
  run_stats: [],
  extradat: [],
  test_rundat: [],
  archives: [],
};
export const recordTables = Object.keys(references);

/** Ids that a JavaScript number cannot represent; each has a neighbour with the same number. */
export const farIds = [2n ** 53n, 2n ** 62n + 4n, 2n ** 63n - 2n ** 41n, -(2n ** 53n) - 2n, -(2n ** 63n)];

/** Returns the first row of a run in a table. */
function firstRow(table: string, run: number): string {
  if (table === "runs") return String(run);
  const parent = references.tests?.some(([child]) => child === table) ? "test_id" : "run_id";
  const parents = parent === "run_id" ? String(run) : `SELECT id FROM tests WHERE run_id = ${run}`;
  return `SELECT min(id) FROM ${table} WHERE ${parent} IN (${parents})`;
}

/** Gives the first row of a run in a table another id, and updates references to it. */
export function giveId(
  area: SampleArea,
  table: string,
  run: number,
  id: bigint,
  places: readonly Place[] = everywhere,
): void {
  edit(area, places, (db) => {
    const old = db.prepare(firstRow(table, run).replace(/^\d+$/, "SELECT $&")).pluck().safeIntegers().get();
    if (old === null) return;
    db.prepare(`UPDATE ${table} SET id = ? WHERE id = ?`).run(id, old);
    for (const [child, column] of references[table] ?? [])
      db.prepare(`UPDATE ${child} SET ${column} = ? WHERE ${column} = ?`).run(id, old);
  });
}
