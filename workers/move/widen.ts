import { type Connection, quoteName } from "../../shared/sqlite/connection.ts";
import { isComputed, readColumns } from "../../shared/sqlite/table.ts";

/**
 * Adds the columns that tables of `part` have and those of completed-runs.db, attached as `completed`, lack. Call inside its
 * transaction.
 *
 * @param run runs a statement
 * @returns whether there was any
 */
export function widenCompleted(db: Connection, part: string, run: (sql: string) => unknown): boolean {
  const names = db
    .prepare<[], string>(
      "SELECT name FROM completed.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'mtjobs\\_%' ESCAPE '\\'",
    )
    .pluck()
    .all();
  const statements = names.flatMap((name) => missingColumns(db, part, { schema: "completed", name }));
  for (const sql of statements) run(sql);
  return statements.length > 0;
}

/** SQL that adds each column that `part` has and ours lacks. SQLite refuses a computed default here: none is set then. */
export function missingColumns(
  db: Connection,
  part: string,
  table: { schema: string; name: string },
): string[] {
  const { schema, name } = table;
  const have = new Set(readColumns(db, schema, name).map((column) => column.name.toLowerCase()));
  return readColumns(db, part, name)
    .filter((column) => !have.has(column.name.toLowerCase()))
    .map((column) => {
      const constant = column.defaultSql !== null && !isComputed(column.defaultSql);
      const rest = constant ? ` DEFAULT ${column.defaultSql}${column.notNull ? " NOT NULL" : ""}` : "";
      return `ALTER TABLE ${schema}.${quoteName(name)} ADD COLUMN ${quoteName(column.name)} ${typeSql(column.type)}${rest}`;
    });
}

/** A declared type as it is taken in a statement: one that a schema quoted must be quoted again. */
function typeSql(type: string): string {
  return /^([A-Za-z_][\w ]*(\([\w ,.+-]*\))?)?$/.test(type) ? type : quoteName(type);
}
