import { type Connection, quoteName } from "./connection.ts";
import { foldName } from "./names.ts";
import { isComputed, readColumns } from "./table.ts";

/** A table of an attached database; its columns may be read through another connection than they are added by. */
export interface TableOf {
  db: Connection;
  schema: string;
}

/**
 * SQL that adds to table `name` of `target` each column that `source` has there and it lacks. SQLite refuses a computed default
 * here: none is set then.
 */
export function missingColumns(name: string, source: TableOf, target: TableOf): string[] {
  const have = new Set(readColumns(target.db, target.schema, name).map((column) => foldName(column.name)));
  return readColumns(source.db, source.schema, name)
    .filter((column) => !have.has(foldName(column.name)))
    .map((column) => {
      const constant = column.defaultSql !== null && !isComputed(column.defaultSql);
      const rest = constant ? ` DEFAULT ${column.defaultSql}${column.notNull ? " NOT NULL" : ""}` : "";
      return `ALTER TABLE ${target.schema}.${quoteName(name)} ADD COLUMN ${quoteName(column.name)} ${typeSql(column.type)}${rest}`;
    });
}

/** A declared type as it is taken in a statement: one that a schema quoted must be quoted again. */
function typeSql(type: string): string {
  return /^([A-Za-z_][\w ]*(\([\w ,.+-]*\))?)?$/.test(type) ? type : quoteName(type);
}
