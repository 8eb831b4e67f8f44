import { type Connection, quoteName, quoteText } from "../../shared/sqlite/connection.ts";
import type { RecordPlan } from "./record-tables.ts";

// Temporary tables of one connection. Sources are read into them first, so that no lock on a source outlives one
// statement, however slow the commit into completed-runs.db is.

export function createTempTables(db: Connection, records: readonly RecordPlan[]): void {
  db.exec(`
    CREATE TEMP TABLE IF NOT EXISTS batch_runs (id INTEGER PRIMARY KEY);
    CREATE TEMP TABLE IF NOT EXISTS batch_tests (run_id INTEGER, id INTEGER, PRIMARY KEY (run_id, id)) WITHOUT ROWID;
    CREATE TEMP TABLE IF NOT EXISTS seen_runs (id INTEGER PRIMARY KEY);
    CREATE TEMP TABLE IF NOT EXISTS slice_runs (id INTEGER PRIMARY KEY);
    CREATE TEMP TABLE IF NOT EXISTS slice_tests (id INTEGER PRIMARY KEY);
    CREATE TEMP TABLE IF NOT EXISTS slice_rows (table_name TEXT PRIMARY KEY, low INTEGER, high INTEGER) WITHOUT ROWID;
    CREATE TEMP TABLE IF NOT EXISTS test_tables (table_name TEXT PRIMARY KEY) WITHOUT ROWID;
    INSERT OR IGNORE INTO temp.test_tables VALUES ('tests');
    CREATE TEMP TABLE IF NOT EXISTS children (
      part TEXT, table_name TEXT, parent INTEGER, id INTEGER, PRIMARY KEY (part, table_name, parent, id)
    ) WITHOUT ROWID;
    CREATE TEMP TABLE IF NOT EXISTS differing (
      table_name TEXT, id INTEGER, winner TEXT, PRIMARY KEY (table_name, id)
    ) WITHOUT ROWID;
    CREATE TEMP TABLE IF NOT EXISTS superseded (
      table_name TEXT, row_id INTEGER, source TEXT, reason TEXT, columns TEXT, row TEXT, carried TEXT,
      unsynced INTEGER NOT NULL DEFAULT 0, parent INTEGER
    );`);
  for (const { table, parent, synced, target } of records) {
    if (parent === "test_id") db.exec(`INSERT OR IGNORE INTO temp.test_tables VALUES (${quoteText(table)})`);
    // No types: values are kept as read. Ids of never-synced tables may clash between the sources until they are
    // renumbered; `mtjobs_row` tells the rows apart.
    const id = synced ? "id INTEGER PRIMARY KEY" : "mtjobs_row INTEGER PRIMARY KEY, id";
    // A column that a row's source lacks gets its default, as in a row written by Megatest's sync.
    const rest = target
      .filter(({ name }) => name !== "id")
      .map(({ name, defaultSql }) => `${quoteName(name)}${defaultClause(defaultSql)}`);
    db.exec(`DROP TABLE IF EXISTS temp.stage_${table};
      CREATE TEMP TABLE stage_${table} (${[id, ...rest].join(", ")});
      ${synced ? "" : `CREATE INDEX temp.stage_${table}_id ON stage_${table} (id); CREATE INDEX temp.stage_${table}_parent ON stage_${table} (${parent});`}`);
  }
}

/**
 * Returns a DEFAULT clause. A literal stays bare, since a double-quoted one is no expression; others need
 * parentheses.
 */
function defaultClause(sql: string | null): string {
  if (sql === null) return "";
  return /^([+-]?[\w.]+|'([^']|'')*'|"([^"]|"")*")$/.test(sql) ? ` DEFAULT ${sql}` : ` DEFAULT (${sql})`;
}

/** The key of a temporary table of rows: a site may have a column with any other name, `rowid` too. */
export const rowKey = "mtjobs_row";

/** Empties temporary tables. */
export function clearTempTables(db: Connection, ...tables: readonly string[]): void {
  for (const table of tables) db.exec(`DELETE FROM temp.${table}`);
}
