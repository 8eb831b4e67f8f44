import { countsOn, type Rule } from "../../../shared/area-db/run-sides.ts";
import type { Side, UnionColumn, UnionTable } from "../../../shared/area-db/run-tables.ts";
import { type Connection, quoteName } from "../../../shared/sqlite/connection.ts";
import { typeSql } from "../../../shared/sqlite/missing-columns.ts";
import { foldName } from "../../../shared/sqlite/names.ts";
import { textInQuotes } from "../../../shared/sqlite/site-schema.ts";
import { defaultExpression, isComputed } from "../../../shared/sqlite/table.ts";
import { isToken, nameOf, tokenize } from "../../../shared/sqlite/tokens.ts";
import { schemaViews } from "./schema-tables.ts";

export interface Union {
  tables: readonly UnionTable[];
  /** Undefined without a completed-runs.db. */
  rule: Rule | undefined;
  /** completed-runs.db records the former `tests.archived` of renumbered blocks. */
  renamedBlocks: boolean;
}

/**
 * Returns SQL of one view per table, for a connection with completed-runs.db attached as `completed`. Views in temp
 * hide tables, so unqualified names read both. A view of columns that a side lacks needs a table of their defaults.
 */
export function viewStatements(union: Union): string[] {
  return union.tables.flatMap((table) => {
    const arms = sidesOf(table, union).map((side) => armOf(side, table, union));
    return [
      ...defaultsTable(table, union),
      `CREATE TEMP VIEW ${quoteName(table.name)} AS ${arms.join(" UNION ALL ")};`,
    ];
  });
}

/** Returns the sides, main first: a view's column types come from its first SELECT. */
export function sidesOf(table: UnionTable, union: Union): Side[] {
  return (["main", "completed"] as const).filter(
    (side) => table.present[side] !== undefined && (side === "main" || union.rule !== undefined),
  );
}

function armOf(side: Side, table: UnionTable, union: Union): string {
  return `SELECT ${selectedColumns(side, table, union)} FROM ${side}.${quoteName(table.name)} AS x WHERE ${countsOn(side, table, "x", union.rule)}`;
}

/** Selects megatest.db's columns in its order; missing ones get their default, or are generated. */
export function selectedColumns(side: Side, table: UnionTable, union: Union): string {
  return table.columns
    .map((column) => {
      const text = sideValue(side, table, column, union);
      const name = quoteName(column.name);
      return text === `x.${name}` ? text : `${text} AS ${name}`;
    })
    .join(", ");
}

function sideValue(side: Side, table: UnionTable, column: UnionColumn, union: Union): string {
  const name = quoteName(column.name);
  const key = foldName(column.name);
  if (table.present[side]?.includes(key) !== true) {
    if (column.generated !== undefined) return collated(generate(side, table, column, union), column);
    return collated(`(SELECT ${name} FROM temp.${defaultsOf(table)})`, column);
  }
  if (isRenamed(side, table, key, union)) return collated(originalBlock, column);
  return table.compared[side].includes(key) ? `x.${name} COLLATE ${column.collation}` : `x.${name}`;
}

/** Evaluates a generated column that a side lacks over the columns it names: jobs do not add it there. */
function generate(
  side: Side,
  table: UnionTable,
  { generated = "", type }: UnionColumn,
  union: Union,
): string {
  const tokens = tokenize(generated);
  const names = new Set(tokens.map((token, at) => (isToken(tokens[at + 1], "(") ? "" : nameOf(token))));
  const named = table.columns.filter((column) => names.has(foldName(column.name)));
  const known = new Set(named.map((column) => foldName(column.name)));
  const expression = textInQuotes(generated, tokens, known);
  const value = type === "" ? `(${expression})` : `CAST((${expression}) AS ${typeSql(type)})`;
  const values = named.map(
    (column) => `${sideValue(side, table, column, union)} AS ${quoteName(column.name)}`,
  );
  const from = values.length === 0 ? "" : ` FROM (SELECT ${values.join(", ")})`;
  return `(SELECT ${value}${from})`;
}

/** Has an expression compared as the column is: each arm of a view compares by its own. */
function collated(expression: string, { collation }: UnionColumn): string {
  return collation === "BINARY" ? expression : `${expression} COLLATE ${collation}`;
}

/** Returns true if the side's value differs from that of an undivided area. */
export function isRenamed(side: Side, table: UnionTable, column: string, union: Union): boolean {
  return union.renamedBlocks && side === "completed" && table.name === "tests" && column === "archived";
}

/**
 * The block's id in main. A scalar subquery keeps the column's affinity; coalesce() or CASE would lose it, and CAST
 * would change values.
 */
const originalBlock =
  `(SELECT mtjobs_b FROM (SELECT original AS mtjobs_b FROM completed.mtjobs_archived WHERE test_id = x.id
  UNION ALL SELECT x.archived) LIMIT 1)`.replace(/\s+/g, " ");

/**
 * Makes a table of one row with the values of missing columns. Only a real column has the affinity and stores the
 * value as SQLite does: CAST makes 0 of the text 'n/a' in a column of integers.
 */
function defaultsTable(table: UnionTable, union: Union): string[] {
  const missing = table.columns.filter(
    ({ name, generated }) =>
      generated === undefined &&
      sidesOf(table, union).some((side) => table.present[side]?.includes(foldName(name)) !== true),
  );
  if (missing.length === 0) return [];
  const columns = missing.map((column) => {
    // SQLite cannot add a column with a computed default later.
    const value = isComputed(column.defaultSql) ? "NULL" : defaultExpression(column);
    return `${quoteName(column.name)} ${typeSql(column.type)} DEFAULT (${value})`;
  });
  const name = `temp.${defaultsOf(table)}`;
  return [`CREATE TABLE ${name} (${columns.join(", ")});`, `INSERT INTO ${name} DEFAULT VALUES;`];
}

function defaultsOf(table: UnionTable): string {
  return `mtjobs_default_${table.name}`;
}

export function createViews(db: Connection, union: Union): void {
  const statements = [...viewStatements(union), ...schemaViews(union.rule !== undefined)];
  for (const statement of statements) db.exec(statement);
}
