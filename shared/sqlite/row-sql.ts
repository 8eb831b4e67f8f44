import { quoteName } from "./connection.ts";

/** Fragments of SQL over lists of columns. Aliases and tables are ours; column names come from the database in hand. */

/** `a."x", a."y"` */
export function columnList(columns: readonly string[], alias?: string): string {
  return columns
    .map((name) => (alias === undefined ? quoteName(name) : `${alias}.${quoteName(name)}`))
    .join(", ");
}

/**
 * True where two rows agree in every column: NULL equals NULL, text is compared byte by byte whatever
 * collation the table declares, and 1 differs from '1' and from x'31'.
 *
 * @param mixed columns whose declared types differ between the two: there SQLite would convert one side first
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
      // A plus sign takes a column's affinity away.
      return mixed.includes(name)
        ? `typeof(${one}) = typeof(${other}) AND +${one} IS (+${other}) COLLATE BINARY`
        : `${one} IS ${other} COLLATE BINARY`;
    })
    .join(" AND ");
}

/** True where two rows have the same name in the sense of a UNIQUE constraint: NULL equals nothing. An index serves it. */
export function sameName(a: string, b: string, columns: readonly string[]): string {
  return columns.map((name) => `${a}.${quoteName(name)} = ${b}.${quoteName(name)}`).join(" AND ");
}

/** A row's values as SQL literals joined by commas: exact for every type, also for text that is not UTF-8. */
export function rowLiteral(alias: string, columns: readonly string[]): string {
  return columns.length === 0
    ? "''"
    : columns.map((name) => literal(`${alias}.${quoteName(name)}`)).join(" || ',' || ");
}

/**
 * quote() stops at a NUL byte within a text, and bytes that are no UTF-8 are lost to whoever reads the literal
 * as a string: a text that is not plain ASCII is written as the blob it is, with its type.
 */
function literal(value: string): string {
  const notAscii = "'*[^' || char(1) || '-' || char(127) || ']*'";
  return `CASE WHEN typeof(${value}) = 'text' AND (instr(${value}, char(0)) > 0 OR ${value} GLOB ${notAscii})
    THEN 'CAST(' || quote(CAST(${value} AS BLOB)) || ' AS TEXT)' ELSE quote(${value}) END`;
}
