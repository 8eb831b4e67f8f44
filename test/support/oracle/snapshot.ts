import { existsSync } from "node:fs";
import Database from "better-sqlite3";

/**
 * A database value in canonical form: equal values have the same type and bytes. Written as `n` (NULL), `i:7`,
 * `r:1.5`, `t:<hex>` or `x:<hex>`.
 */
export type Value = string;

export interface Table {
  columns: readonly string[];
  rows: readonly (readonly Value[])[];
}

export interface Snapshot {
  path: string;
  /** By name, without SQLite's tables, `mtjobs_…` tables and rows that guard ids. */
  tables: ReadonlyMap<string, Table>;
}

/** Names of the rows that only keep ids from being reused. */
const hiddenNames = ["mtjobs-id-guard", "mtjobs-id-gap"].map(textValue);

/** Reads a database in one read transaction. A path without a file gives an empty snapshot. */
export function snapshot(path: string | undefined): Snapshot {
  const tables = new Map<string, Table>();
  if (path === undefined) return { path: "(none)", tables };
  const db = openForReading(path);
  if (db === undefined) return { path, tables };
  try {
    db.transaction(() => {
      for (const name of tableNames(db)) tables.set(name, readTable(db, name));
    })();
  } finally {
    db.close();
  }
  return { path, tables: withoutGuards(tables) };
}

export function textValue(text: string): Value {
  return `t:${Buffer.from(text, "utf8").toString("hex").toUpperCase()}`;
}

/** Returns a readable value; text that is not UTF-8 stays hexadecimal. */
export function showValue(value: Value | undefined): string {
  if (value === undefined) return "(no such column)";
  if (value === "n") return "NULL";
  if (!value.startsWith("t:")) return value;
  const bytes = Buffer.from(value.slice(2), "hex");
  const text = bytes.toString("utf8");
  return Buffer.from(text, "utf8").equals(bytes) ? JSON.stringify(text) : `text ${value.slice(2)}`;
}

/** Returns SQL that converts a column or expression to a snapshot value. */
export function valueSql(expression: string): string {
  return `CASE typeof(${expression})
    WHEN 'null' THEN 'n'
    WHEN 'integer' THEN 'i:' || ${expression}
    WHEN 'real' THEN 'r:' || quote(${expression})
    WHEN 'text' THEN 't:' || hex(CAST(${expression} AS BLOB))
    ELSE 'x:' || hex(${expression}) END`;
}

/** Returns the problems that SQLite's integrity check finds; [] if there are none. Missing files are skipped. */
export function integrityProblems(paths: readonly (string | undefined)[]): string[] {
  return paths.flatMap((path) => {
    const db = path === undefined ? undefined : openForReading(path);
    if (db === undefined) return [];
    try {
      const rows = db.pragma("integrity_check") as { integrity_check: string }[];
      return rows
        .map((row) => row.integrity_check)
        .filter((text) => text !== "ok")
        .map((text) => `${path}: ${text}`);
    } finally {
      db.close();
    }
  });
}

function openForReading(path: string): Database.Database | undefined {
  if (!existsSync(path)) return undefined;
  // not read-only: a hot journal of a killed process must be rolled back by the first reader
  return new Database(path, { fileMustExist: true, timeout: 30_000 });
}

function tableNames(db: Database.Database): string[] {
  return db
    .prepare<[], string>(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
       AND name NOT LIKE 'mtjobs\\_%' ESCAPE '\\' ORDER BY name`,
    )
    .pluck()
    .all();
}

function readTable(db: Database.Database, name: string): Table {
  const columns = db.prepare<[string], string>("SELECT name FROM pragma_table_info(?)").pluck().all(name);
  const list = columns.map((column) => valueSql(`"${column.replaceAll('"', '""')}"`)).join(", ");
  return {
    columns,
    rows: db
      .prepare(`SELECT ${list} FROM "${name}" ORDER BY ${hasRowids(db, name) ? "rowid" : "id"}`)
      .raw()
      .all() as Value[][],
  };
}

function hasRowids(db: Database.Database, name: string): boolean {
  return db.prepare("SELECT 1 FROM pragma_table_list(?) WHERE wr = 1").get(name) === undefined;
}

/** Removes guards and their child rows. */
function withoutGuards(tables: Map<string, Table>): Map<string, Table> {
  const guards = new Map<string, Set<Value>>();
  const kept = new Map<string, Table>();
  for (const [name, table] of tables) {
    const own = new Set<Value>();
    guards.set(name, own);
    const id = table.columns.indexOf("id");
    const rows = table.rows.filter((row) => {
      if (!hiddenNames.some((name) => row.includes(name))) return true;
      own.add(row[id] ?? "n");
      return false;
    });
    kept.set(name, { columns: table.columns, rows });
  }
  for (const [name, table] of kept) {
    const parent = parentOf(table);
    const gone = parent === undefined ? undefined : guards.get(parent.table);
    if (parent === undefined || gone === undefined || gone.size === 0) continue;
    kept.set(name, { ...table, rows: table.rows.filter((row) => !gone.has(row[parent.column] ?? "n")) });
  }
  return kept;
}

function parentOf(table: Table): { table: string; column: number } | undefined {
  for (const [column, name] of [
    ["run_id", "runs"],
    ["test_id", "tests"],
  ] as const) {
    const index = table.columns.indexOf(column);
    if (index >= 0) return { table: name, column: index };
  }
  return undefined;
}
