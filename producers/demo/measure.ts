import { existsSync, statSync } from "node:fs";
import type Database from "better-sqlite3";
import { openSqlite } from "../../shared/sqlite/library.ts";
import type { SampleArea } from "./sample-area/build-area.ts";

/** What the demo measures before and after. */
export interface Measurement {
  /** Bytes by file; 0 for a missing file. */
  bytes: Record<string, number>;
  /** Rows by table in the cache, which has the latest data. */
  rows: Record<string, number>;
  /** Rows by table in completed-runs.db; empty if there is none yet. */
  completedRows: Record<string, number>;
  /** Milliseconds by query. */
  queries: Record<string, number>;
}

const tables = ["runs", "tests", "test_steps", "test_data"] as const;

/** Two queries that Megatest runs all the time. */
const usualQueries = {
  "count the running tests": `SELECT count(*) FROM tests
    WHERE state IN ('RUNNING', 'REMOTEHOSTSTART', 'LAUNCHED') AND NOT (uname = 'n/a' AND item_path = '')`,
  "read all tests and steps, as every sync does": `SELECT t.*, s.* FROM tests AS t JOIN test_steps AS s ON s.test_id = t.id`,
} as const;

const repeats = 5;

/** Measures sizes, rows and times. Opens the databases read-only. */
export function measure(area: SampleArea, completedDb: string): Measurement {
  const files = {
    "megatest.db": area.megatestDb,
    "completed-runs.db": completedDb,
    "cache/megatest.db": area.cacheDb,
    "cache/megatest_ref.db": area.refDb,
  };
  return {
    bytes: Object.fromEntries(
      Object.entries(files).map(([name, file]) => [
        name,
        statSync(file, { throwIfNoEntry: false })?.size ?? 0,
      ]),
    ),
    rows: countRows(area.cacheDb),
    completedRows: existsSync(completedDb) ? countRows(completedDb) : {},
    queries: timeQueries(area.cacheDb),
  };
}

function countRows(file: string): Record<string, number> {
  return reading(file, (db) =>
    Object.fromEntries(
      tables.map((table) => [
        table,
        db.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get() ?? 0,
      ]),
    ),
  );
}

function timeQueries(file: string): Record<string, number> {
  return reading(file, (db) =>
    Object.fromEntries(
      Object.entries(usualQueries).map(([name, sql]) => {
        const statement = db.prepare(sql);
        const times = Array.from({ length: repeats }, () => {
          const started = performance.now();
          for (const _row of statement.iterate()) {
            // Rows are read one by one and dropped.
          }
          return performance.now() - started;
        });
        // The median: the first run also pays for a cold page cache.
        return [name, times.sort((a, b) => a - b)[Math.floor(repeats / 2)] ?? 0];
      }),
    ),
  );
}

function reading<T>(file: string, read: (db: Database.Database) => T): T {
  const db = openSqlite(file, { readonly: true, timeout: 5000 });
  try {
    return read(db);
  } finally {
    db.close();
  }
}
