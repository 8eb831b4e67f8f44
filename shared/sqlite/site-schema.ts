import { type Connection, quoteText } from "./connection.ts";
import { isSqliteError } from "./library.ts";
import { foldName } from "./names.ts";
import { tokenize } from "./tokens.ts";

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
