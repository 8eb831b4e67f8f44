import { type Connection, quoteName } from "./connection.ts";
import { foldName } from "./names.ts";
import { readDeclarations } from "./site-schema.ts";
import { isComputed, readColumns } from "./table.ts";

/** Columns may be read through another connection than they are added by. */
export interface TableOf {
  db: Connection;
  schema: string;
}

/** Returns SQL that adds missing columns. Drops computed defaults, which SQLite rejects here. */
export function missingColumns(name: string, source: TableOf, target: TableOf): string[] {
  const have = new Set(readColumns(target.db, target.schema, name).map((column) => foldName(column.name)));
  const declarationOf = readDeclarations(source.db, source.schema, name);
  return readColumns(source.db, source.schema, name)
    .filter((column) => !have.has(foldName(column.name)))
    .map((column) => {
      const constant = column.defaultSql !== null && !isComputed(column.defaultSql);
      const { collation } = declarationOf(column.name);
      const collate = collation === "BINARY" ? "" : ` COLLATE ${collation}`;
      const rest = constant ? ` DEFAULT ${column.defaultSql}${column.notNull ? " NOT NULL" : ""}` : "";
      return `ALTER TABLE ${target.schema}.${quoteName(name)} ADD COLUMN ${quoteName(column.name)} ${typeSql(column.type)}${collate}${rest}`;
    });
}

/** Quotes a type that was quoted. */
export function typeSql(type: string): string {
  return /^([A-Za-z_][\w ]*(\([\w ,.+-]*\))?)?$/.test(type) ? type : quoteName(type);
}
