import { type Connection, quoteTexts } from "./connection.ts";
import { openSqlite } from "./library.ts";
import { isNotUnderstood, respelled, type SchemaObject } from "./site-schema.ts";
import { tokenize } from "./tokens.ts";

/** Copies tables into memory, with indexes but without rows and triggers. */
export function emptyCopy(db: Connection, part: string, tables: readonly string[]): Connection {
  const copy = openSqlite(":memory:");
  try {
    copy.pragma("foreign_keys = OFF");
    for (const object of objectsOf(db, part, tables)) {
      try {
        copy.exec(respelled(db, part, object));
      } catch (error) {
        // Reported by the schema check; the table can be tested without it.
        if (!isNotUnderstood(error) || object.type === "table") throw error;
      }
    }
    return copy;
  } catch (error) {
    copy.close();
    throw error;
  }
}

function objectsOf(db: Connection, part: string, tables: readonly string[]): SchemaObject[] {
  return db
    .prepare<[], SchemaObject>(
      `SELECT type, name, tbl_name AS "table", sql FROM ${part}.sqlite_schema
       WHERE sql IS NOT NULL AND type IN ('table', 'index') AND lower(tbl_name) IN (${quoteTexts(tables)})
       ORDER BY type DESC`,
    )
    .all();
}

/** Indexes with expressions are skipped. */
export interface UniqueIndex {
  name: string;
  columns: readonly string[];
  where: string;
}

export function uniqueIndexes(db: Connection, part: string, table: string): UniqueIndex[] {
  const indexes = db
    .prepare<[string, string], { name: string; partial: number }>(
      `SELECT name, partial FROM pragma_index_list(?, ?) WHERE "unique" = 1`,
    )
    .all(table, part);
  return indexes.flatMap(({ name, partial }) => {
    const columns = db
      .prepare<[string, string], string | null>("SELECT name FROM pragma_index_info(?, ?) ORDER BY seqno")
      .pluck()
      .all(name, part);
    if (columns.includes(null)) return [];
    const where = partial === 1 ? conditionOf(db, part, table, name) : "1";
    return where === undefined ? [] : [{ name, columns: columns as string[], where }];
  });
}

function conditionOf(db: Connection, part: string, table: string, name: string): string | undefined {
  const object = objectsOf(db, part, [table]).find((index) => index.name === name);
  if (object === undefined) return undefined;
  const sql = respelled(db, part, object);
  const where = tokenize(sql).findLast(({ kind, value }) => kind === "word" && value === "WHERE");
  return where === undefined ? undefined : `(${sql.slice(where.end)})`;
}

/** Returns true if there is more than Megatest's own UNIQUE. */
export function isConstrained(db: Connection, part: string, tables: readonly string[]): boolean {
  return (
    db
      .prepare<{ part: string }, number>(
        `SELECT EXISTS (SELECT 1 FROM ${part}.sqlite_schema AS s WHERE lower(tbl_name) IN (${quoteTexts(tables)}) AND CASE type
           WHEN 'table' THEN sql LIKE '%check%' OR sql LIKE '%not%null%' OR sql LIKE '%strict%'
             OR (SELECT count(*) FROM pragma_index_list(s.name, :part) WHERE origin <> 'c') > 1
           WHEN 'index' THEN sql LIKE '%unique%' END)`,
      )
      .pluck()
      .get({ part }) === 1
  );
}
