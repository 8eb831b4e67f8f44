import { type Connection, quoteText } from "../../../shared/sqlite/connection.ts";
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
  const names = new Set(
    db
      .prepare<[], string>(
        `SELECT lower(s.name) FROM main.sqlite_schema AS s UNION
         SELECT lower(c.name) FROM main.sqlite_schema AS s, pragma_table_xinfo(s.name) AS c WHERE s.type IN ('table', 'view')`,
      )
      .pluck()
      .all(),
  );
  for (const [index, token] of tokens.entries()) {
    const name = nameOf(token);
    if (name !== undefined && isToken(tokens[index - 1], "AS")) names.add(name);
  }
  return names;
}
