import Database from "better-sqlite3";
import { JobsError } from "../../shared/errors.ts";
import { type Connection, commitDurably, quoteName } from "../../shared/sqlite/connection.ts";
import { readColumns } from "../../shared/sqlite/table.ts";

/**
 * completed-runs.db: a full Megatest database made from the schema of megatest.db, with tables of ours
 * (`mtjobs_…`, which Megatest ignores) that say which run stands where.
 */

/** Tables of ours in completed-runs.db; idempotent. */
const ownTables = `
CREATE TABLE IF NOT EXISTS mtjobs_runs (
  run_id INTEGER PRIMARY KEY,
  state TEXT NOT NULL,
  job_id TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  looked_at INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS mtjobs_runs_state ON mtjobs_runs (state, looked_at);
CREATE TABLE IF NOT EXISTS mtjobs_superseded (
  id INTEGER PRIMARY KEY,
  table_name TEXT NOT NULL,
  row_id INTEGER,
  source TEXT NOT NULL,
  reason TEXT NOT NULL,
  job_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  columns TEXT NOT NULL,
  row TEXT NOT NULL,
  carried TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS mtjobs_superseded_row ON mtjobs_superseded (table_name, row_id);
CREATE TABLE IF NOT EXISTS mtjobs_renumbered (
  table_name TEXT NOT NULL,
  old_id INTEGER NOT NULL,
  new_id INTEGER NOT NULL,
  job_id TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS mtjobs_archived (
  test_id INTEGER PRIMARY KEY,
  original INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS mtjobs_restored (
  id INTEGER PRIMARY KEY,
  job_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  runs TEXT NOT NULL,
  rows TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS mtjobs_seen (
  part TEXT NOT NULL,
  table_name TEXT NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY (part, table_name)
) WITHOUT ROWID;
`;

/** Columns of ours that find children without a scan where Megatest has no index. */
const ownIndexes: readonly (readonly [string, string])[] = [
  ["run_stats", "run_id"],
  ["extradat", "run_id"],
  ["test_rundat", "test_id"],
  ["archives", "test_id"],
];

interface SchemaObject {
  type: "table" | "index" | "trigger" | "view";
  name: string;
  sql: string;
}

/**
 * Fills an empty completed-runs.db, or brings it up to the schemas in hand, in one transaction.
 *
 * @param path completed-runs.db; may be empty, and must exist
 * @param sources databases whose tables and columns it must have, megatest.db first; they must exist
 */
export function ensureCompletedDb(path: string, sources: readonly string[]): void {
  // Not for reading only: a cache in WAL mode is left as it was only by who may write to it.
  const db = new Database(path, { timeout: 1000, fileMustExist: true });
  try {
    db.pragma("foreign_keys = OFF");
    // Never WAL: the file lives on a file system that several hosts share.
    if (db.pragma("journal_mode = DELETE", { simple: true }) !== "delete") {
      throw new JobsError("io", `${path} cannot be taken out of WAL mode`, {
        hint: "close the programs that have it open, then run the job again",
      });
    }
    commitDurably(db, "main", path);
    const parts = sources.map((source, index) => {
      db.prepare(`ATTACH ? AS source${index}`).run(source);
      return `source${index}`;
    });
    const objects = parts.map((part) => readSchema(db, part));
    db.transaction(() => {
      parts.forEach((part, index) => {
        adoptSchema(db, part, objects[index] ?? []);
      });
      db.exec(ownTables);
      indexParents(db);
    })();
  } finally {
    db.close();
  }
}

function readSchema(db: Connection, part: string): SchemaObject[] {
  return db
    .prepare<[], SchemaObject>(
      `SELECT type, name, sql FROM ${part}.sqlite_schema
       WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND tbl_name NOT LIKE 'mtjobs\\_%' ESCAPE '\\'
         AND name NOT LIKE 'mtjobs\\_%' ESCAPE '\\'
       ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END`,
    )
    .all();
}

function adoptSchema(db: Connection, part: string, objects: readonly SchemaObject[]): void {
  const present = new Set(
    db.prepare<[], string>("SELECT type || ' ' || lower(name) FROM main.sqlite_schema").pluck().all(),
  );
  for (const object of objects) {
    const known = present.has(`${object.type} ${object.name.toLowerCase()}`);
    if (known && object.type === "table") widen(db, part, object.name);
    else if (!known) db.exec(object.sql);
  }
}

/** Adds the columns that `part` has and ours lacks. SQLite refuses a computed default here: none is set then. */
function widen(db: Connection, part: string, table: string): void {
  const have = new Set(readColumns(db, "main", table).map((column) => column.name.toLowerCase()));
  for (const column of readColumns(db, part, table)) {
    if (have.has(column.name.toLowerCase())) continue;
    const constant = column.defaultSql !== null && !/[(]|current_/i.test(column.defaultSql);
    const rest = constant ? ` DEFAULT ${column.defaultSql}${column.notNull ? " NOT NULL" : ""}` : "";
    db.exec(
      `ALTER TABLE main.${quoteName(table)} ADD COLUMN ${quoteName(column.name)} ${column.type}${rest}`,
    );
  }
}

function indexParents(db: Connection): void {
  for (const [table, parent] of ownIndexes) {
    if (readColumns(db, "main", table).some((column) => column.name === parent)) {
      db.exec(`CREATE INDEX IF NOT EXISTS main.mtjobs_${table}_${parent} ON ${table} (${parent})`);
    }
  }
}
