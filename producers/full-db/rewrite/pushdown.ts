import { countsOn } from "../../../shared/area-db/run-sides.ts";
import type { Side } from "../../../shared/area-db/run-tables.ts";
import { quoteName } from "../../../shared/sqlite/connection.ts";
import { foldName } from "../../../shared/sqlite/names.ts";
import { kindOf, linksIn } from "./colocated.ts";
import type { Source } from "./from.ts";
import { mayUseAlias, orderTerms, placeOf } from "./order.ts";
import { asColumn, type ResultColumn } from "./references.ts";
import type { Core } from "./select.ts";
import { type Piece, splitList, textOf } from "./token-list.ts";
import { isRenamed, selectedColumns, type Union } from "./views.ts";

export interface Tail {
  orderBy: readonly Piece[] | undefined;
  limit: readonly Piece[] | undefined;
}

/**
 * Rewrites a core whose result rows each come from one side. SQLite merges two ordered sides, so each can use an
 * index and stop at the limit. An ORDER BY term that is not in the result becomes an extra column, which an outer
 * select drops. Undefined if the term might mean something else there.
 */
export function pushDown(
  core: Core,
  columns: readonly ResultColumn[],
  join: Join,
  tail: Tail,
): string | undefined {
  const terms = tail.orderBy === undefined ? [] : orderTerms(tail.orderBy);
  const keys: string[] = [];
  let unclear = false;
  const order = terms.map((term) => {
    let place = placeOf(term, columns, join.sources, join.sql);
    if (place === undefined) {
      unclear ||= mayUseAlias(term.expression, columns, join.sources);
      keys.push(textOf(term.expression, join.sql));
      place = columns.length + keys.length;
    }
    return `${place} ${textOf(term.suffix, join.sql)}`.trimEnd();
  });
  if (unclear) return undefined;
  const list = [...core.items.map((item) => itemText(item.pieces, item.alias, join.sql)), ...keys].join(", ");
  const group = core.groupBy === undefined ? "" : ` GROUP BY ${textOf(core.groupBy, join.sql)}`;
  const having = core.having === undefined ? "" : ` HAVING ${textOf(core.having, join.sql)}`;
  const both = (["main", "completed"] as const)
    .map((side) => `SELECT ${list} ${joinOn(side, join)}${group}${having}`)
    .join(" UNION ALL ");
  const ordered = order.length === 0 ? both : `${both} ORDER BY ${order.join(", ")}`;
  const limit = tail.limit === undefined ? undefined : textOf(tail.limit, join.sql);
  const limited = limit === undefined ? ordered : `${ordered} LIMIT ${limit}`;
  if (keys.length === 0) return limited;
  // A LIMIT prevents flattening, which would drop the order.
  return dropKeys(columns, keys.length, limit === undefined ? `${ordered} LIMIT -1` : limited);
}

function dropKeys(columns: readonly ResultColumn[], keys: number, ordered: string): string {
  const names = Array.from({ length: columns.length + keys }, (_, index) => `mtjobs_${index}`).join(", ");
  const shown = columns.map(({ name }, index) => `mtjobs_${index} AS ${quoteName(name)}`).join(", ");
  return `SELECT ${shown} FROM (WITH mtjobs_q(${names}) AS (${ordered}) SELECT * FROM mtjobs_q)`;
}

/** Returns the item; if a subquery in it changed, with the name that SQLite derived. */
export function itemText(pieces: readonly Piece[], alias: string | undefined, sql: string): string {
  const text = textOf(pieces, sql);
  if (alias !== undefined || !pieces.some(({ kind }) => kind === "select")) return text;
  const original = sql.slice(pieces[0]?.start ?? 0, pieces.at(-1)?.end ?? 0);
  return `${text} AS ${quoteName(original)}`;
}

/**
 * Returns true if a GROUP BY column identifies a run or test and is never NULL: a primary key, or equal to another
 * column in every row.
 */
export function groupsStayOnOneSide(core: Core, join: Join): boolean {
  const { sources } = join;
  const inner = sources.filter(({ optional }) => !optional);
  const equal = [join.where, ...inner.map(({ on }) => on)].flatMap((term) => linksIn(term, sources)).flat();
  return splitList(core.groupBy ?? []).some((term) => {
    const column = asColumn(term, sources);
    if (column === undefined || kindOf(column) === undefined) return false;
    if (!column.source.optional && foldName(column.column) === "id") return true;
    return equal.some(({ source, column: name }) => source === column.source && name === column.column);
  });
}

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
  const same =
    table.compared[side].length === 0 &&
    here.length === columns.length &&
    columns.every((column, index) => here[index] === column);
  const renamed = columns.some(
    (column) => isRenamed(side, table, column, union) && (used.has(column) || used.has("*")),
  );
  return same && !renamed ? name : `(SELECT ${selectedColumns(side, table, union)} FROM ${name} AS x)`;
}
