import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import { foldName } from "../../../shared/sqlite/names.ts";
import { type Value, valueSql } from "./snapshot.ts";

/** State of a run's move according to completed-runs.db. */
export type RunState = "copying" | "removing" | "moved";

/** A version kept because a newer one moved. */
export interface SupersededRow {
  table: string;
  rowId: number | null;
  row: ReadonlyMap<string, Value>;
}

/** Returns the state of each run's move by id; empty if there is no such table. */
export function readRunStates(completedDb: string | undefined): Map<Value, RunState> {
  return withTable(completedDb, "mtjobs_runs", new Map(), (db) => {
    const rows = db
      .prepare(`SELECT ${valueSql("run_id")}, state FROM mtjobs_runs`)
      .raw()
      .all();
    return new Map(rows as [Value, RunState][]);
  });
}

/** Returns every kept version, with values parsed from their SQL literals. */
export function readSuperseded(completedDb: string | undefined): SupersededRow[] {
  return withTable(completedDb, "mtjobs_superseded", [], (db) => {
    const kept = db
      .prepare(
        'SELECT table_name AS "table", row_id AS rowId, columns, "row" AS literals FROM mtjobs_superseded ORDER BY id',
      )
      .all() as { table: string; rowId: number | null; columns: string; literals: string }[];
    return kept.map(({ table, rowId, columns, literals }) => {
      const names = (JSON.parse(columns) as string[]).map(foldName);
      const places = names.map((_, index) => `c${index}`);
      const values = db
        .prepare(
          `WITH kept(${places.join(", ")}) AS (VALUES (${literals})) SELECT ${places.map(valueSql).join(", ")} FROM kept`,
        )
        .raw()
        .get() as Value[];
      return { table, rowId, row: new Map(names.map((name, index) => [name, values[index] ?? "n"])) };
    });
  });
}

function withTable<T>(
  file: string | undefined,
  table: string,
  none: T,
  read: (db: Database.Database) => T,
): T {
  if (file === undefined || !existsSync(file)) return none;
  const db = new Database(file, { timeout: 30_000 });
  try {
    const there = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?").get(table);
    return there === undefined ? none : read(db);
  } finally {
    db.close();
  }
}
