import Database from "better-sqlite3";
import { JobsError } from "../../shared/errors.ts";
import { recordTables as recordTableNames } from "../../shared/result.ts";
import { type Connection, commitDurably, isConstraintError } from "../../shared/sqlite/connection.ts";
import { readColumns } from "../../shared/sqlite/table.ts";
import { isNotUnderstood, respelled, type SchemaObject } from "./site-schema.ts";
import { missingColumns } from "./widen.ts";

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

/** What Megatest has besides. */
const otherTables: ReadonlySet<string> = new Set(
  "keys metadat test_meta archive_disks archive_blocks archive_allocations tasks_queue access_log".split(" "),
);

/** Tables without which there is no moving a run; an index on them must be one that this SQLite can keep. */
const recordTables: ReadonlySet<string> = new Set(["runs", ...recordTableNames]);

/**
 * Fills an empty completed-runs.db, or brings it up to the schemas in hand, in one transaction. `assertFitSchemas` says what of them
 * it will not have.
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
    adoptSchemas(db, sources, () => {});
  } finally {
    db.close();
  }
}

/**
 * Tries the schemas in memory, before anything is written.
 *
 * @param warn is told what completed-runs.db will not have, a sentence each
 * @throws JobsError `unknown-schema` where a record table cannot be made there, or its rows not written to where they are
 */
export function assertFitSchemas(sources: readonly string[], warn: (sentence: string) => void): void {
  // Neither this nor what is attached to it is made where it is missing.
  const db = new Database(":memory:", { timeout: 1000, fileMustExist: true });
  try {
    adoptSchemas(db, sources, warn);
  } finally {
    db.close();
  }
}

function adoptSchemas(db: Connection, sources: readonly string[], warn: (sentence: string) => void): void {
  const parts = sources.map((source, index) => {
    db.prepare(`ATTACH ? AS source${index}`).run(source);
    return { part: `source${index}`, file: source };
  });
  const objects = parts.map(({ part }) => readSchema(db, part));
  db.transaction(() => {
    parts.forEach((source, index) => {
      adoptSchema(db, source, objects[index] ?? [], warn);
    });
    db.exec(ownTables);
    indexParents(db);
  })();
}

function readSchema(db: Connection, part: string): SchemaObject[] {
  return db
    .prepare<[], SchemaObject>(
      `SELECT type, name, tbl_name AS "table", sql FROM ${part}.sqlite_schema
       WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND tbl_name NOT LIKE 'mtjobs\\_%' ESCAPE '\\'
         AND name NOT LIKE 'mtjobs\\_%' ESCAPE '\\'
       ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END`,
    )
    .all();
}

interface SchemaSource {
  part: string;
  file: string;
}

function adoptSchema(
  db: Connection,
  source: SchemaSource,
  objects: readonly SchemaObject[],
  warn: (sentence: string) => void,
): void {
  const present = new Set(
    db.prepare<[], string>("SELECT type || ' ' || lower(name) FROM main.sqlite_schema").pluck().all(),
  );
  const virtual = objects.filter(({ sql }) => /^CREATE\s+VIRTUAL\b/i.test(sql)).map(({ name }) => name);
  for (const name of virtual) warn(`completed-runs.db has no ${name}: a virtual table serves queries only`);
  // A virtual table keeps its content in tables that are named after it; one may be named `test`.
  const isMegatests = (table: string) => recordTables.has(table) || otherTables.has(table);
  const isLeft = (table: string) =>
    virtual.some((name) => table === name || (table.startsWith(`${name}_`) && !isMegatests(table)));
  for (const object of objects.filter(({ table }) => !isLeft(table))) {
    const known = present.has(`${object.type} ${object.name.toLowerCase()}`);
    if (known && object.type === "table") {
      const table = { schema: "main", name: object.name };
      for (const sql of missingColumns(db, source.part, table)) db.exec(sql);
    } else if (!known) create(db, source, object, warn);
  }
}

/** Word for word where SQLite takes it so, else with its text in single quotes. */
function create(
  db: Connection,
  { part, file }: SchemaSource,
  object: SchemaObject,
  warn: (sentence: string) => void,
): void {
  const { type, name, table, sql } = object;
  try {
    try {
      db.exec(sql);
    } catch (error) {
      if (!isNotUnderstood(error)) throw error;
      db.exec(respelled(db, part, object));
    }
  } catch (error) {
    if (!isNotUnderstood(error) && !isConstraintError(error)) throw error;
    const { message } = error;
    // Where the index is kept up, every write to the table needs what is missing here.
    const needed = (type === "table" || type === "index") && recordTables.has(table.toLowerCase());
    if (needed && isNotUnderstood(error)) {
      throw new JobsError(
        "unknown-schema",
        `${type} ${name} of ${file} is none that our SQLite can keep: ${message}`,
        {
          hint: "drop what was added to the table, or write it without functions and collations of programs of your own; nothing was changed",
          details: { file, type, name },
        },
      );
    }
    warn(`completed-runs.db has no ${name}: ${message}`);
  }
}

function indexParents(db: Connection): void {
  for (const [table, parent] of ownIndexes) {
    if (readColumns(db, "main", table).some((column) => column.name === parent)) {
      db.exec(`CREATE INDEX IF NOT EXISTS main.mtjobs_${table}_${parent} ON ${table} (${parent})`);
    }
  }
}
