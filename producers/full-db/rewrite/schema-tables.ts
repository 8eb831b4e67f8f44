import { JobsError } from "../../../shared/errors.ts";
import { isToken, nameOf, type Token } from "../../../shared/sqlite/tokens.ts";

const notOurs = (column: string) => `${column} NOT LIKE 'mtjobs\\_%' ESCAPE '\\'`;
const schemaOf = (side: string) =>
  `SELECT * FROM ${side}.sqlite_schema WHERE ${notOurs("name")} AND ${notOurs("tbl_name")}`;

/** Views that replace SQLite's lists of tables, to show those of an undivided area. */
const standIns = {
  mtjobs_schema: schemaOf("main"),
  mtjobs_completed_schema: schemaOf("completed"),
  mtjobs_temp_schema: "SELECT * FROM temp.sqlite_schema WHERE 0",
  mtjobs_table_list: `SELECT * FROM pragma_table_list WHERE schema = 'main' AND ${notOurs("name")}`,
} as const;
type StandIn = keyof typeof standIns;

export function schemaViews(completed: boolean): string[] {
  return Object.entries(standIns)
    .filter(([name]) => completed || name !== "mtjobs_completed_schema")
    .map(([name, sql]) => `CREATE TEMP VIEW ${name} AS ${sql}`);
}

const ofSide = new Map<string | undefined, StandIn>([
  [undefined, "mtjobs_schema"],
  ["main", "mtjobs_schema"],
  ["completed", "mtjobs_completed_schema"],
  ["temp", "mtjobs_temp_schema"],
]);

function standInFor(name: string | undefined, side: string | undefined): StandIn | undefined {
  if (name === "sqlite_schema" || name === "sqlite_master") return ofSide.get(side);
  if (name === "sqlite_temp_schema" || name === "sqlite_temp_master") return "mtjobs_temp_schema";
  return name === "pragma_table_list" ? "mtjobs_table_list" : undefined;
}

/**
 * Uses views for SQLite's own lists of tables, whose names are reserved, so views cannot hide them.
 *
 * @throws {JobsError} `bad-query` for a list without a replacement
 */
export function withoutOurTables(sql: string, tokens: readonly Token[]): string {
  let out = "";
  let from = 0;
  for (const [at, token] of tokens.entries()) {
    const name = nameOf(token);
    const qualified = isToken(tokens[at - 1], ".");
    const standIn = standInFor(name, qualified ? nameOf(tokens[at - 2]) : undefined);
    if (name === "dbstat") throw notHere("dbstat", "query the file with sqlite3");
    if (standIn === undefined) continue;
    const called = standIn === "mtjobs_table_list" && isToken(tokens[at + 1], "(");
    if (called && !isToken(tokens[at + 2], ")"))
      throw notHere("pragma_table_list with arguments", "omit them and use WHERE name = …");
    const start = qualified ? tokens[at - 2] : token;
    out += `${sql.slice(from, start?.start)}temp.${standIn}`;
    from = (called ? tokens[at + 2] : token)?.end ?? sql.length;
  }
  return out + sql.slice(from);
}

function notHere(what: string, hint: string): JobsError {
  return new JobsError("bad-query", `${what} is not available in full-db mode`, { hint });
}
