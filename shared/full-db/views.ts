import { type Connection, quoteName } from "../sqlite/connection.ts";
import { foldName } from "../sqlite/names.ts";
import { type Column, defaultExpression, isComputed } from "../sqlite/table.ts";
import { countsOn, type Rule } from "./sides.ts";
import { schemaViews } from "./sql/schema-tables.ts";
import type { Side, UnionTable } from "./union-tables.ts";

/** What full-db mode over a connection is made of. */
export interface Union {
  tables: readonly UnionTable[];
  /** Undefined where there is no completed-runs.db. */
  rule: Rule | undefined;
  /** True where completed-runs.db remembers what `tests.archived` was before its block took a new id there. */
  renamedBlocks: boolean;
}

/**
 * SQL of one view for each table, to be run on a connection to megatest.db or the cache with completed-runs.db
 * attached as `completed`. Views of temp hide tables of the same name, so unqualified names answer over both.
 */
export function viewStatements(union: Union): string[] {
  return union.tables.map((table) => {
    const arms = sidesOf(table, union).map((side) => armOf(side, table, union));
    return `CREATE TEMP VIEW ${quoteName(table.name)} AS ${arms.join(" UNION ALL ")};`;
  });
}

/** The sides that have the table, main first: the types of a view's columns are those of its first arm. */
export function sidesOf(table: UnionTable, union: Union): Side[] {
  return (["main", "completed"] as const).filter(
    (side) => table.present[side] !== undefined && (side === "main" || union.rule !== undefined),
  );
}

function armOf(side: Side, table: UnionTable, union: Union): string {
  return `SELECT ${selectedColumns(side, table, union)} FROM ${side}.${quoteName(table.name)} AS x WHERE ${countsOn(side, table, "x", union.rule)}`;
}

/** The columns of `x` in the order of megatest.db; those that the side lacks as their default. */
export function selectedColumns(side: Side, table: UnionTable, union: Union): string {
  return table.columns
    .map((column) => {
      const name = quoteName(column.name);
      const key = foldName(column.name);
      if (table.present[side]?.includes(key) !== true) return `${defaultOf(column)} AS ${name}`;
      return isRenamed(side, table, key, union) ? `${originalBlock} AS ${name}` : `x.${name}`;
    })
    .join(", ");
}

/** True where the side's own value of the column is not what an undivided area would have. */
export function isRenamed(side: Side, table: UnionTable, column: string, union: Union): boolean {
  return union.renamedBlocks && side === "completed" && table.name === "tests" && column === "archived";
}

/**
 * The block as main's archive_blocks names it. A scalar sub-select over one column has that column's affinity, which
 * coalesce() or CASE would lose, and CAST would change values.
 */
const originalBlock =
  `(SELECT mtjobs_b FROM (SELECT original AS mtjobs_b FROM completed.mtjobs_archived WHERE test_id = x.id
  UNION ALL SELECT x.archived) LIMIT 1)`.replace(/\s+/g, " ");

/** A constant default with the column's affinity; one that is computed for each new row is NULL for an old one. */
function defaultOf({ defaultSql, type }: Column): string {
  const value = isComputed(defaultSql) ? "NULL" : defaultExpression({ defaultSql });
  return type === "" ? value : `CAST(${value} AS ${castable(type)})`;
}

/** A declared type as CAST takes it: `VARCHAR(10)` is fine, what else a schema may say is quoted. */
function castable(type: string): string {
  return /^[A-Za-z_ ]+$/.test(type) ? type : quoteName(type.replace(/[(].*$/, "").trim());
}

/** Makes the views on a connection that may write to temp. */
export function createViews(db: Connection, union: Union): void {
  const statements = [...viewStatements(union), ...schemaViews(union.rule !== undefined)];
  for (const statement of statements) db.exec(statement);
}
