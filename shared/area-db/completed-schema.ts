import { recordTables as recordTableNames } from "../contract/names.ts";
import { JobsError } from "../errors.ts";
import { type Connection, isConstraintError } from "../sqlite/connection.ts";
import { openSqlite } from "../sqlite/library.ts";
import { missingColumns } from "../sqlite/missing-columns.ts";
import { foldName } from "../sqlite/names.ts";
import { isNotUnderstood, respelled, type SchemaObject } from "../sqlite/site-schema.ts";
import { readColumns } from "../sqlite/table.ts";

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
CREATE TABLE IF NOT EXISTS mtjobs_imported (
  id INTEGER PRIMARY KEY,
  job_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  runs TEXT NOT NULL,
  rows TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS mtjobs_purged (
  id INTEGER PRIMARY KEY,
  job_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  target TEXT NOT NULL,
  runname TEXT NOT NULL,
  active_at INTEGER,
  export_file TEXT,
  rows TEXT NOT NULL,
  directories TEXT NOT NULL,
  counted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS mtjobs_purged_counted ON mtjobs_purged (counted) WHERE counted = 0;
CREATE TABLE IF NOT EXISTS mtjobs_seen (
  part TEXT NOT NULL,
  table_name TEXT NOT NULL,
  id INTEGER NOT NULL,
  PRIMARY KEY (part, table_name)
) WITHOUT ROWID;
`;

/** Own indexes, to find children without a scan. */
const ownIndexes: readonly (readonly [string, string])[] = [
  ["run_stats", "run_id"],
  ["extradat", "run_id"],
  ["test_rundat", "test_id"],
  ["archives", "test_id"],
];

const otherTables: ReadonlySet<string> = new Set(
  "keys metadat test_meta archive_disks archive_blocks archive_allocations tasks_queue access_log".split(" "),
);

/** Tables needed to move a run, with their indexes. */
const recordTables: ReadonlySet<string> = new Set(["runs", ...recordTableNames]);

export interface SchemaSource {
  db: Connection;
  part: string;
  file: string;
}

/** A completed-runs.db without runs, and a sentence for each object that it lacks. */
interface EmptyCompleted {
  bytes: Buffer;
  warnings: readonly string[];
}

/** By the schemas that it was made from: the jobs of most areas need the same one. */
const known = new Map<string, EmptyCompleted>();
const mostKnown = 20;

/**
 * Makes a completed-runs.db without runs in memory; tells whether the schemas fit.
 *
 * @throws JobsError `unknown-schema` if a record table cannot be created or written
 */
export function emptyCompleted(sources: readonly SchemaSource[]): EmptyCompleted {
  const read = () => JSON.stringify(sources.map((source) => readSchema(source.db, source.part)));
  const key = read();
  const before = known.get(key);
  if (before !== undefined) return before;
  const made = makeEmpty(sources);
  // A site has changed its schema meanwhile: this is not what the text makes.
  if (read() !== key) return emptyCompleted(sources);
  if (known.size >= mostKnown) known.clear();
  known.set(key, made);
  return made;
}

function makeEmpty(sources: readonly SchemaSource[]): EmptyCompleted {
  const db = openSqlite(":memory:");
  try {
    db.pragma("foreign_keys = OFF");
    const warnings: string[] = [];
    adoptSchemas(db, sources, (sentence) => warnings.push(sentence));
    return { bytes: db.serialize(), warnings };
  } finally {
    db.close();
  }
}

/**
 * Creates missing objects in `main`, in one transaction, megatest.db's first. Throws as `emptyCompleted`.
 *
 * @param warn receives a sentence for each object that completed-runs.db will lack
 */
export function adoptSchemas(
  db: Connection,
  sources: readonly SchemaSource[],
  warn: (sentence: string) => void,
): void {
  const objects = sources.map((source) => readSchema(source.db, source.part));
  db.transaction(() => {
    sources.forEach((source, index) => {
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

function adoptSchema(
  db: Connection,
  source: SchemaSource,
  objects: readonly SchemaObject[],
  warn: (sentence: string) => void,
): void {
  const present = new Map(
    db
      .prepare<[], [object: string, sql: string | null]>(
        "SELECT type || ' ' || lower(name), sql FROM main.sqlite_schema",
      )
      .raw()
      .all(),
  );
  const virtual = objects.filter(({ sql }) => /^CREATE\s+VIRTUAL\b/i.test(sql)).map(({ name }) => name);
  for (const name of virtual)
    warn(`completed-runs.db will not have the virtual table ${name}, which serves queries only`);
  // A virtual table's content is in tables with its name as prefix; it may be named `test`.
  const isMegatests = (table: string) => recordTables.has(table) || otherTables.has(table);
  const isLeft = (table: string) =>
    virtual
      .map(foldName)
      .some((name) => table === name || (table.startsWith(`${name}_`) && !isMegatests(table)));
  for (const object of objects.filter(({ table }) => !isLeft(foldName(table)))) {
    const known = present.get(`${object.type} ${foldName(object.name)}`);
    // The same text makes the same columns.
    if (known === object.sql) continue;
    if (known !== undefined && object.type === "table") {
      for (const sql of missingColumns(
        object.name,
        { db: source.db, schema: source.part },
        { db, schema: "main" },
      ))
        db.exec(sql);
    } else if (known === undefined) create(db, source, object, warn);
  }
}

/** Runs the original statement, or the same with text in single quotes. */
function create(
  db: Connection,
  { db: sourceDb, part, file }: SchemaSource,
  object: SchemaObject,
  warn: (sentence: string) => void,
): void {
  const { type, name, table, sql } = object;
  try {
    try {
      db.exec(sql);
    } catch (error) {
      if (!isNotUnderstood(error)) throw error;
      db.exec(respelled(sourceDb, part, object));
    }
  } catch (error) {
    if (!isNotUnderstood(error) && !isConstraintError(error)) throw error;
    const { message } = error;
    // Every write to an indexed table needs what is missing here.
    const needed = (type === "table" || type === "index") && recordTables.has(foldName(table));
    if (needed && isNotUnderstood(error)) {
      throw new JobsError(
        "unknown-schema",
        `${type} ${name} of ${file} cannot be created by mtjobs's SQLite: ${message}`,
        {
          hint: "drop the addition to the table, or write it without application-defined functions and collations; nothing was changed",
          details: { file, type, name },
        },
      );
    }
    warn(`completed-runs.db has no "${name}": ${message}`);
  }
}

function indexParents(db: Connection): void {
  for (const [table, parent] of ownIndexes) {
    if (readColumns(db, "main", table).some((column) => column.name === parent)) {
      db.exec(`CREATE INDEX IF NOT EXISTS main.mtjobs_${table}_${parent} ON ${table} (${parent})`);
    }
  }
}
