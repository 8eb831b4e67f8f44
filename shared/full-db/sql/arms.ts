import { quoteName } from "../../sqlite/connection.ts";
import { foldName } from "../../sqlite/names.ts";
import { countsOn } from "../sides.ts";
import type { Side } from "../union-tables.ts";
import { isRenamed, selectedColumns, type Union } from "../views.ts";
import type { Source } from "./from.ts";
import { type Piece, textOf } from "./pieces.ts";

/** A join that stays on one side, to be evaluated on each. */
export interface Join {
  sources: readonly Source[];
  where: readonly Piece[] | undefined;
  union: Union;
  sql: string;
  /** Lower-case names in the statement, and `*`. */
  used: ReadonlySet<string>;
}

const ownerOrder = ["id", "run_id", "test_id"] as const;

/**
 * Returns `FROM … WHERE …` of the join on one side. Aliases and columns stay, so conditions do too. One table decides
 * the side of all.
 */
export function joinOn(side: Side, join: Join): string {
  const from = join.sources.map((source, index) => {
    const operator = index === 0 ? "" : `${textOf(source.operator, join.sql)} `;
    const on = source.on === undefined ? "" : ` ON ${textOf(source.on, join.sql)}`;
    return `${operator}${sourceOn(side, source, join)} AS ${quoteName(source.alias)}${on}`;
  });
  const root = [...join.sources]
    .filter((source) => !source.optional)
    .sort((a, b) => ownerOrder.indexOf(a.table.owner) - ownerOrder.indexOf(b.table.owner))[0];
  const counts =
    root === undefined ? "1" : countsOn(side, root.table, quoteName(root.alias), join.union.rule);
  const where = join.where === undefined ? "" : `(${textOf(join.where, join.sql)}) AND `;
  return `FROM ${from.join(" ")} WHERE ${where}${counts}`;
}

/** Adds missing columns by a subquery, which SQLite flattens into the join. */
function sourceOn(side: Side, { table }: Source, { union, used }: Join): string {
  const name = `${side}.${quoteName(table.name)}`;
  const columns = table.columns.map((column) => foldName(column.name));
  const here = table.present[side] ?? [];
  const same = here.length === columns.length && columns.every((column, index) => here[index] === column);
  const renamed = columns.some(
    (column) => isRenamed(side, table, column, union) && (used.has(column) || used.has("*")),
  );
  return same && !renamed ? name : `(SELECT ${selectedColumns(side, table, union)} FROM ${name} AS x)`;
}
