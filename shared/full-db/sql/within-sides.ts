import { quoteName } from "../../sqlite/connection.ts";
import { foldName } from "../../sqlite/names.ts";
import { type Join, joinOn } from "./arms.ts";
import { mayUseAlias, orderTerms, placeOf } from "./order.ts";
import { type Piece, splitList, textOf } from "./pieces.ts";
import { kindOf, linksIn } from "./proof.ts";
import { asColumn } from "./references.ts";
import type { ResultColumn } from "./result-columns.ts";
import type { Core } from "./select.ts";

export interface Tail {
  orderBy: readonly Piece[] | undefined;
  limit: readonly Piece[] | undefined;
}

/**
 * Rewrites a core whose result rows each come from one side. SQLite merges two ordered sides, so each can use an
 * index and stop at the limit. An ORDER BY term that is not in the result becomes an extra column, which an outer
 * select drops. Undefined if the term might mean something else there.
 */
export function rewriteWithinSides(
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
export function groupsWithinSides(core: Core, join: Join): boolean {
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
