import { foldName } from "../../../shared/sqlite/names.ts";
import type { Source } from "./from.ts";
import { isReserved } from "./keywords.ts";
import { asColumn, type ResultColumn, resolveAt } from "./references.ts";
import { isWord, type Piece, splitList, textOf, withoutParentheses } from "./token-list.ts";

export interface OrderTerm {
  expression: readonly Piece[];
  /** COLLATE, ASC, DESC, NULLS …; may be empty. */
  suffix: readonly Piece[];
}

export function orderTerms(pieces: readonly Piece[]): OrderTerm[] {
  return splitList(pieces).map((term) => {
    let end = term.length;
    if (isWord(term[end - 1], "FIRST", "LAST") && isWord(term[end - 2], "NULLS")) end -= 2;
    if (isWord(term[end - 1], "ASC", "DESC")) end--;
    const direction = term.slice(end);
    const { expression, collation } = bare(term.slice(0, end));
    return { expression, suffix: [...collation, ...direction] };
  });
}

/** Strips parentheses and COLLATE, as SQLite does to find an alias or column; the outermost COLLATE applies. */
function bare(term: readonly Piece[]): { expression: readonly Piece[]; collation: readonly Piece[] } {
  const inner = withoutParentheses(term);
  if (!isWord(inner.at(-2), "COLLATE")) return { expression: inner, collation: [] };
  return { expression: bare(inner.slice(0, -2)).expression, collation: inner.slice(-2) };
}

/** Returns true for a name that is an alias but no column: in the result list it would mean something else. */
export function mayUseAlias(
  expression: readonly Piece[],
  columns: readonly ResultColumn[],
  sources: readonly Source[],
): boolean {
  const aliases = new Set(columns.flatMap(({ alias }) => (alias === undefined ? [] : [foldName(alias)])));
  if (aliases.size === 0) return false;
  return expression.some((piece, at) => {
    if (piece.kind === "select") return true;
    const name = piece.kind === "word" || piece.kind === "quoted-name" ? foldName(piece.value) : undefined;
    return name !== undefined && aliases.has(name) && resolveAt(expression, at, sources) === "unknown";
  });
}

/**
 * Returns the position (from 1) of the result column that a term orders by: a number, an alias, or the same column or
 * expression.
 */
export function placeOf(
  { expression }: OrderTerm,
  columns: readonly ResultColumn[],
  sources: readonly Source[],
  sql: string,
): number | undefined {
  const [first] = expression;
  if (expression.length === 1 && first !== undefined) {
    if (first.kind === "number" && /^\d+$/.test(first.text)) return Number(first.text);
    const name = aliasName(first);
    const place = columns.findIndex(({ alias }) => alias !== undefined && foldName(alias) === name);
    if (name !== undefined && place >= 0) return place + 1;
  }
  const column = asColumn(expression, sources);
  const place = columns.findIndex(({ reference, expression: other }) =>
    column === undefined
      ? other.length > 0 && textOf(other, sql) === textOf(expression, sql)
      : reference?.source === column.source && reference.column === column.column,
  );
  return place < 0 ? undefined : place + 1;
}

/** Returns the lower-case name; undefined if the piece cannot be an alias. */
export function aliasName(piece: Piece): string | undefined {
  const isName = piece.kind === "quoted-name" || (piece.kind === "word" && !isReserved(piece.value));
  return isName ? foldName(piece.value) : undefined;
}
