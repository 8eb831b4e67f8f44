import { type Connection, prepared, quoteName, quoteText } from "./connection.ts";
import { isSqliteError } from "./library.ts";
import { foldName, upperName } from "./names.ts";
import { isToken, tokenize } from "./tokens.ts";

/**
 * Megatest's SQLite reads a double-quoted word that names nothing as text; this program's does so in an existing
 * schema, but not in a statement that creates one.
 */
export interface SchemaObject {
  type: "table" | "index" | "trigger" | "view";
  name: string;
  /** Itself, or the one it belongs to. */
  table: string;
  sql: string;
}

/** Returns the statement with text in single quotes. */
export function respelled(db: Connection, part: string, { table, name, sql }: SchemaObject): string {
  const columns = db
    .prepare<[string, string], string>("SELECT lower(name) FROM pragma_table_xinfo(?, ?)")
    .pluck()
    .all(table, part);
  const known = new Set([...columns, foldName(table), foldName(name)]);
  let out = "";
  let from = 0;
  for (const { kind, text, value, start, end } of tokenize(sql)) {
    const isText = kind === "quoted-name" && text.startsWith('"') && !known.has(foldName(value));
    out += sql.slice(from, start) + (isText ? quoteText(value) : text);
    from = end;
  }
  return out + sql.slice(from);
}

/** Returns true for an unknown name, function, collation or module. */
export function isNotUnderstood(error: unknown): error is Error & { code: string } {
  return isSqliteError(error) && error.code === "SQLITE_ERROR";
}

/** Any SQLite has these; others are a site's own. */
export type Collation = "BINARY" | "NOCASE" | "RTRIM";

/**
 * Returns what compares a column's values by default: no pragma tells it of a column without an index. BINARY for a
 * site's own, which mtjobs cannot use.
 */
export function readCollations(db: Connection, part: string, table: string): (column: string) => Collation {
  const sql = prepared<[string], string>(
    db,
    `SELECT sql FROM ${quoteName(part)}.sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE`,
  )
    .pluck()
    .get(table);
  const known = declaredCollations(sql ?? "");
  return (column) => known.get(foldName(column)) ?? "BINARY";
}

/** Reads the COLLATE of each column of a CREATE TABLE, by its lower-case name. */
function declaredCollations(createTable: string): Map<string, Collation> {
  const found = new Map<string, Collation>();
  const tokens = tokenize(createTable);
  let depth = 0;
  let column: string | undefined;
  for (const [at, token] of tokens.entries()) {
    if (isToken(token, ")")) depth--;
    const before = tokens[at - 1];
    // In deeper parentheses are CHECK, DEFAULT and keys, whose COLLATE is their own.
    if (depth === 1 && isToken(before, "(", ",")) column = foldName(token.value);
    if (depth === 1 && column !== undefined && isToken(before, "COLLATE")) {
      const name = upperName(token.value);
      found.set(column, name === "NOCASE" || name === "RTRIM" ? name : "BINARY");
    }
    if (isToken(token, "(")) depth++;
  }
  return found;
}
