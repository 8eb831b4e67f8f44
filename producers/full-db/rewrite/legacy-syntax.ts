import { type Connection, quoteText } from "../../../shared/sqlite/connection.ts";
import { foldName } from "../../../shared/sqlite/names.ts";
import { isNotUnderstood } from "../../../shared/sqlite/site-schema.ts";
import { isToken, nameOf, type Token } from "../../../shared/sqlite/tokens.ts";

const rowids = new Set(["rowid", "_rowid_", "oid"]);

/**
 * Rewrites a rejected query as Megatest's own SQLite would read it: a double-quoted word that names nothing is text,
 * and `rowid`, which views lack, is the id.
 */
export function respell(db: Connection, sql: string, tokens: readonly Token[]): string {
  const names = knownNames(db, tokens);
  let out = "";
  let from = 0;
  for (const [index, token] of tokens.entries()) {
    const spelling =
      isToken(tokens[index - 1], ".") && token.kind !== "word" ? token.text : spell(token, names);
    out += sql.slice(from, token.start) + spelling;
    from = token.end;
  }
  return out + sql.slice(from);
}

function spell(token: Token, names: ReadonlySet<string>): string {
  const name = nameOf(token);
  if (name === undefined || names.has(name)) return token.text;
  if (token.kind === "word") return rowids.has(name) ? "id" : token.text;
  return token.text.startsWith('"') ? quoteText(token.value) : token.text;
}

/** Returns the lower-case names of tables, columns and the query's own aliases after AS. */
function knownNames(db: Connection, tokens: readonly Token[]): Set<string> {
  const schema = db
    .prepare<[], { type: string; name: string }>("SELECT type, name FROM main.sqlite_schema")
    .all();
  const names = new Set(schema.map(({ name }) => foldName(name)));
  const columns = db.prepare<[string], string>("SELECT lower(name) FROM pragma_table_xinfo(?)").pluck();
  for (const { name } of schema.filter(({ type }) => type === "table" || type === "view")) {
    try {
      for (const column of columns.all(name)) names.add(column);
    } catch (error) {
      // A view of the site's that SQLite does not understand; the query may be of something else.
      if (!isNotUnderstood(error)) throw error;
    }
  }
  for (const [index, token] of tokens.entries()) {
    const name = nameOf(token);
    if (name !== undefined && isToken(tokens[index - 1], "AS")) names.add(name);
  }
  return names;
}
