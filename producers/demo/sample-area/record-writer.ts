import type Database from "better-sqlite3";
import { quoteName } from "../../../shared/sqlite/connection.ts";
import type { Plan } from "./plan.ts";

/** Values are in the order of the writer's columns. Returns the id. */
export type Insert = (...values: (string | number | null)[]) => number;

/** Each adds the sync time as `last_update`. */
export interface Writer {
  runs: Insert;
  tests: Insert;
  steps: Insert;
  data: Insert;
}

export function writerOf(db: Database.Database, plan: Plan): Writer {
  const insert = (table: string, columns: string): Insert => {
    const names = plan.old ? columns : `${columns}, last_update`;
    const marks = names.replaceAll(/[^,]+/g, "?");
    const statement = db.prepare(`INSERT INTO ${table} (${names}) VALUES (${marks})`);
    return (...values) =>
      Number(statement.run(...(plan.old ? values : [...values, plan.syncedAt])).lastInsertRowid);
  };
  const keys = plan.keys.map((key) => `${quoteName(key)}, `).join("");
  return {
    runs: insert(
      "runs",
      `${keys}id, runname, state, status, owner, event_time, comment, fail_count, pass_count`,
    ),
    tests: insert(
      "tests",
      `run_id, testname, item_path, uname, host, cpuload, diskfree, rundir, shortdir, state, status,
       attemptnum, final_logf, run_duration, comment, event_time, fail_count, pass_count, archived`,
    ),
    steps: insert("test_steps", "test_id, stepname, state, status, event_time, comment, logfile"),
    data: insert(
      "test_data",
      "test_id, category, variable, value, expected, tol, units, comment, status, type",
    ),
  };
}
