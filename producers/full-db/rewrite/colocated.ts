import { foldName } from "../../../shared/sqlite/names.ts";
import type { Source } from "./from.ts";
import { asColumn, type Reference } from "./references.ts";
import { findOutside, isWord, type Piece, splitAt, withoutParentheses } from "./token-list.ts";

/** Equal values of one kind are on one side. */
export type Kind = "run" | "test";

export function kindOf({ source, column }: Pick<Reference, "source" | "column">): Kind | undefined {
  const { name, owner } = source.table;
  const lower = foldName(column);
  if (lower === "id" && name === "runs") return "run";
  if (lower === "id" && name === "tests") return "test";
  if (owner === "id" || lower !== owner) return undefined;
  return owner === "run_id" ? "run" : "test";
}

function conjuncts(expression: readonly Piece[]): (readonly Piece[])[] {
  const pieces = withoutParentheses(expression);
  if (findOutside(pieces, (piece) => isWord(piece, "OR")).length > 0) return [pieces];
  let between = false;
  const cuts = findOutside(pieces, (piece) => {
    if (isWord(piece, "BETWEEN")) between = true;
    if (!isWord(piece, "AND")) return false;
    const cut = !between;
    between = false;
    return cut;
  });
  if (cuts.length === 0) return [pieces];
  return splitAt(pieces, cuts).flatMap(conjuncts);
}

/** Returns the pairs of equal columns that identify the same kind. */
export function linksIn(
  expression: readonly Piece[] | undefined,
  sources: readonly Source[],
): [Reference, Reference][] {
  if (expression === undefined || expression.length === 0) return [];
  return conjuncts(expression).flatMap((term) => {
    const [equals, ...more] = findOutside(term, (piece) => isWord(piece, "=", "=="));
    if (equals === undefined || more.length > 0) return [];
    const left = asColumn(withoutParentheses(term.slice(0, equals)), sources);
    const right = asColumn(withoutParentheses(term.slice(equals + 1)), sources);
    if (left === undefined || right === undefined || left.source === right.source) return [];
    const kind = kindOf(left);
    return kind !== undefined && kind === kindOf(right) ? [[left, right] as [Reference, Reference]] : [];
  });
}

/**
 * Proves that a row of the join consists of rows of one side only.
 *
 * The id of a run or test decides its side (`run-sides.ts`), so two rows equal in such a column are on one side, and so
 * are all tables connected by such equalities. An equality in WHERE or in an inner join's ON holds for every result
 * row. In a LEFT JOIN's ON it only selects the joined rows, so it must link the optional table to one on its left:
 * then the partners are the same within the side as over both.
 */
export function staysOnOneSide(sources: readonly Source[], where: readonly Piece[] | undefined): boolean {
  const group = new Map(sources.map((source, index) => [source, index]));
  const join = (a: Source, b: Source) => {
    const [from, to] = [group.get(a), group.get(b)];
    for (const [source, number] of group) if (number === from) group.set(source, to ?? 0);
  };
  for (const [index, source] of sources.entries()) {
    const links = linksIn(source.on, sources);
    const toLeft = links.filter((link) => {
      const other = link.find((side) => side.source !== source);
      return link.some((side) => side.source === source) && sources.indexOf(other?.source as Source) < index;
    });
    if (source.optional && toLeft.length === 0) return false;
    for (const [a, b] of source.optional ? toLeft : links) join(a.source, b.source);
  }
  for (const [a, b] of linksIn(where, sources)) join(a.source, b.source);
  return new Set(group.values()).size === 1;
}
