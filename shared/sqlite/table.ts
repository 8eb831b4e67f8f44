import { type Connection, prepared, quoteName, quoteText } from "./connection.ts";
import { foldName } from "./names.ts";

export interface Column {
  name: string;
  /** As declared; may be empty. */
  type: string;
  notNull: boolean;
  /** SQL text of the default, or null. */
  defaultSql: string | null;
}

/** Read in this spelling, because texts are compared exactly. */
const ownNames: ReadonlySet<string> = new Set(
  `id run_id test_id runname contour state status owner event_time comment fail_count pass_count last_update count key val
  testname host cpuload diskfree uname rundir shortdir item_path attemptnum final_logf logdat run_duration archived stepname logfile category
  variable value expected tol units type update_time diskusage archive_type du archive_path disk_path archive_disk_id archive_block_id
  fieldname fieldtype var`.split(/\s+/),
);

/** Reads the columns except generated and hidden ones. Names in `ownNames` are spelled as there. */
export function readColumns(db: Connection, part: string, table: string): Column[] {
  return declaredColumns(db, part, table).map((column) => {
    const name = foldName(column.name);
    return ownNames.has(name) ? { ...column, name } : column;
  });
}

/** Reads the same columns with names as the schema spells them. */
export function declaredColumns(db: Connection, part: string, table: string): Column[] {
  return columnsOf(db, part, table).filter(({ hidden }) => hidden === 0);
}

/** Reads the columns of a `*`: also generated ones, but for those of a function that SQLite lacks. */
export function selectedColumns(db: Connection, part: string, table: string): Column[] {
  const canRead = ({ name }: Column) => {
    try {
      db.prepare(`SELECT ${quoteName(name)} FROM ${quoteName(part)}.${quoteName(table)}`);
      return true;
    } catch {
      return false;
    }
  };
  return columnsOf(db, part, table).filter(
    (column) => column.hidden === 0 || (column.hidden !== 1 && canRead(column)),
  );
}

/** `hidden` is 1 for one of a virtual table, 2 or 3 for a generated one. */
function columnsOf(db: Connection, part: string, table: string): (Column & { hidden: number })[] {
  const rows = prepared<
    [string, string],
    { name: string; type: string; notnull: number; dflt_value: string | null; hidden: number }
  >(db, `SELECT name, type, "notnull", dflt_value, hidden FROM pragma_table_xinfo(?, ?) ORDER BY cid`).all(
    table,
    part,
  );
  return rows.map(({ name, type, notnull, dflt_value: defaultSql, hidden }) => ({
    name,
    type,
    notNull: notnull !== 0,
    defaultSql,
    hidden,
  }));
}

/** Returns the default as an expression: a bare or double-quoted word is text in DEFAULT, but a name elsewhere. */
export function defaultExpression({ defaultSql }: Pick<Column, "defaultSql">): string {
  if (defaultSql === null) return "NULL";
  if (/^"([^"]|"")*"$/.test(defaultSql)) return quoteText(defaultSql.slice(1, -1).replaceAll('""', '"'));
  const isWord =
    /^[a-z_]\w*$/i.test(defaultSql) &&
    !/^(null|true|false)$/i.test(defaultSql) &&
    !currentTime.test(defaultSql);
  return isWord ? quoteText(defaultSql) : defaultSql;
}

const currentTime = /\bcurrent_(time|date|timestamp)\b/i;
/** Strings and quoted names: what stands in them is text. */
const quoted = /'([^']|'')*'|"([^"]|"")*"|`([^`]|``)*`|\[[^\]]*\]/g;

const literal = /^[+-]?\s*(x?''|[\w.]+|[\d.]+e[+-]?\d+)$/i;

/** Returns true unless it is a literal: `ALTER TABLE` cannot add a column with an expression. */
export function isComputed(defaultSql: string | null): boolean {
  if (defaultSql === null) return false;
  const rest = defaultSql.replaceAll(quoted, "''");
  return !literal.test(rest) || currentTime.test(rest);
}

export function columnNames(db: Connection, part: string, table: string): string[] {
  return readColumns(db, part, table).map((column) => column.name);
}

/** Returns true if a column has the name, which is internal; not for generated and hidden ones. */
export function hasColumn(db: Connection, part: string, table: string, name: string): boolean {
  const found = prepared<[string, string, string]>(
    db,
    "SELECT 1 FROM pragma_table_xinfo(?, ?) WHERE name = ? COLLATE NOCASE AND hidden = 0",
  ).get(table, part, name);
  return found !== undefined;
}

/** Returns the name by which SQLite reads a row's own number: a column may have taken the usual one. */
export function rowidName(columns: Iterable<string>): string {
  const taken = new Set([...columns].map(foldName));
  return ["rowid", "_rowid_", "oid"].find((name) => !taken.has(name)) ?? "rowid";
}

export function hasTable(db: Connection, part: string, table: string): boolean {
  return (
    db
      .prepare(
        `SELECT 1 FROM ${quoteName(part)}.sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE`,
      )
      .get(table) !== undefined
  );
}

/** Returns true if `column` can be found without a scan. */
export function isIndexedBy(db: Connection, part: string, table: string, column: string): boolean {
  return (
    prepared(
      db,
      `SELECT 1 FROM pragma_index_list(:table, :part) AS l, pragma_index_info(l.name, :part) AS i
       WHERE i.seqno = 0 AND i.name = :column COLLATE NOCASE AND l.partial = 0`,
    ).get({ table, part, column }) !== undefined
  );
}

/** Follows SQLite's documented rules. */
export function affinityOf(type: string): "INTEGER" | "TEXT" | "BLOB" | "REAL" | "NUMERIC" {
  const upper = type.toUpperCase();
  if (upper.includes("INT")) return "INTEGER";
  if (/CHAR|CLOB|TEXT/.test(upper)) return "TEXT";
  if (upper === "" || upper.includes("BLOB")) return "BLOB";
  if (/REAL|FLOA|DOUB/.test(upper)) return "REAL";
  return "NUMERIC";
}
