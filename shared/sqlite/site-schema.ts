import { type Connection, prepared, quoteName, quoteText } from "./connection.ts";
import { isSqliteError } from "./library.ts";
import { foldName, upperName } from "./names.ts";
import { isToken, type Token, tokenize } from "./tokens.ts";

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
  return textInQuotes(sql, tokenize(sql), new Set([...columns, foldName(table), foldName(name)]));
}

/** Returns the SQL with single quotes around each word in double quotes that is none of the lower-case names. */
export function textInQuotes(sql: string, tokens: readonly Token[], known: ReadonlySet<string>): string {
  let out = "";
  let from = 0;
  for (const { kind, text, value, start, end } of tokens) {
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

/** What no pragma tells of a column. */
export interface Declaration {
  /** Compares its values by default. BINARY for a site's own, which mtjobs cannot use. */
  collation: Collation;
  /** SQL of a generated column, without the parentheses. */
  generated: string | undefined;
}

const plain: Declaration = { collation: "BINARY", generated: undefined };

/** Returns what the table's CREATE statement says of a column. */
export function readDeclarations(
  db: Connection,
  part: string,
  table: string,
): (column: string) => Declaration {
  const sql = prepared<[string], string>(
    db,
    `SELECT sql FROM ${quoteName(part)}.sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE`,
  )
    .pluck()
    .get(table);
  const known = declarationsIn(sql ?? "");
  return (column) => known.get(foldName(column)) ?? plain;
}

/** By lower-case name. */
function declarationsIn(createTable: string): Map<string, Declaration> {
  const found = new Map<string, Declaration>();
  const tokens = tokenize(createTable);
  let depth = 0;
  let column: string | undefined;
  let expression: number | undefined;
  const note = (declared: Partial<Declaration>) => {
    if (column !== undefined) found.set(column, { ...plain, ...found.get(column), ...declared });
  };
  for (const [at, token] of tokens.entries()) {
    if (isToken(token, ")") && --depth === 1 && expression !== undefined) {
      note({ generated: createTable.slice(expression, token.start) });
      expression = undefined;
    }
    const before = tokens[at - 1];
    // In deeper parentheses are CHECK, DEFAULT and keys, whose COLLATE is their own.
    if (depth === 1 && isToken(before, "(", ",")) column = foldName(token.value);
    if (depth === 1 && isToken(before, "COLLATE")) {
      const name = upperName(token.value);
      note({ collation: name === "NOCASE" || name === "RTRIM" ? name : "BINARY" });
    }
    if (isToken(token, "(") && ++depth === 2 && isToken(before, "AS")) expression = token.end;
  }
  return found;
}
