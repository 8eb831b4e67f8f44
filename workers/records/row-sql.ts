import { quoteName } from "../../shared/sqlite/connection.ts";

// Aliases and tables are internal; column names come from the database.

/** `a."x", a."y"` */
export function columnList(columns: readonly string[], alias?: string): string {
  return columns
    .map((name) => (alias === undefined ? quoteName(name) : `${alias}.${quoteName(name)}`))
    .join(", ");
}

/**
 * SQL: true if two rows agree in every column: NULL equals NULL, text is compared bytewise, and 1 differs from '1'
 * and from x'31'.
 *
 * @param mixed columns whose declared types differ: SQLite would convert one side
 */
export function sameRow(
  a: string,
  b: string,
  columns: readonly string[],
  mixed: readonly string[] = [],
): string {
  if (columns.length === 0) return "1";
  return columns
    .map((name) => {
      const [one, other] = [`${a}.${quoteName(name)}`, `${b}.${quoteName(name)}`];
      // A plus sign removes a column's affinity.
      return mixed.includes(name)
        ? `typeof(${one}) = typeof(${other}) AND +${one} IS (+${other}) COLLATE BINARY`
        : `${one} IS ${other} COLLATE BINARY`;
    })
    .join(" AND ");
}

/** SQL: true if two rows have the same name as in a UNIQUE constraint. Can use an index. */
export function sameName(a: string, b: string, columns: readonly string[]): string {
  return columns.map((name) => `${a}.${quoteName(name)} = ${b}.${quoteName(name)}`).join(" AND ");
}

/** SQL: exact for every type, including text that is not UTF-8. */
export function rowLiteral(alias: string, columns: readonly string[]): string {
  return columns.length === 0
    ? "''"
    : columns.map((name) => literal(`${alias}.${quoteName(name)}`)).join(" || ',' || ");
}

/**
 * Writes text as a blob with its type unless it is plain ASCII: quote() stops at a NUL, and invalid UTF-8 is lost in
 * a string.
 */
function literal(value: string): string {
  const notAscii = "'*[^' || char(1) || '-' || char(127) || ']*'";
  return `CASE WHEN typeof(${value}) = 'text' AND (instr(${value}, char(0)) > 0 OR ${value} GLOB ${notAscii})
    THEN 'CAST(' || quote(CAST(${value} AS BLOB)) || ' AS TEXT)' ELSE quote(${value}) END`;
}
