import { isToken, type Token } from "../../../shared/sqlite/tokens.ts";

/** A token, or a parenthesized subquery whose `text` is already rewritten. */
export type Piece = Omit<Token, "kind"> & { kind: Token["kind"] | "select" };

/** Keeps the original text between pieces, so that names SQLite derives stay the same. */
export function textOf(pieces: readonly Piece[], sql: string): string {
  return pieces
    .map((piece, index) => {
      const before = pieces[index - 1];
      return before === undefined ? piece.text : sql.slice(before.end, piece.start) + piece.text;
    })
    .join("");
}

export function originalText(pieces: readonly Piece[], sql: string): string {
  return sql.slice(pieces[0]?.start ?? 0, pieces.at(-1)?.end ?? 0);
}

/** `isToken` for pieces. */
export function isWord(piece: Piece | undefined, ...values: string[]): boolean {
  return piece !== undefined && piece.kind !== "select" && isToken(piece as Token, ...values);
}

/** Returns the depth in parentheses and CASE … END; delimiters count as outside. */
function depths(pieces: readonly Piece[]): number[] {
  let depth = 0;
  return pieces.map((piece) => {
    if (isWord(piece, ")", "END")) depth--;
    const here = depth;
    if (isWord(piece, "(", "CASE")) depth++;
    return here;
  });
}

export function findOutside(
  pieces: readonly Piece[],
  test: (piece: Piece, index: number) => boolean,
): number[] {
  const deep = depths(pieces);
  return pieces.flatMap((piece, index) => (deep[index] === 0 && test(piece, index) ? [index] : []));
}

export function splitAt(pieces: readonly Piece[], cuts: readonly number[]): Piece[][] {
  const edges = [-1, ...cuts, pieces.length];
  return edges.slice(1).map((end, index) => pieces.slice((edges[index] ?? 0) + 1, end));
}

export function splitList(pieces: readonly Piece[]): Piece[][] {
  if (pieces.length === 0) return [];
  return splitAt(
    pieces,
    findOutside(pieces, (piece) => isWord(piece, ",")),
  );
}

export function withoutParentheses(pieces: readonly Piece[]): readonly Piece[] {
  let inner = pieces;
  while (isWord(inner[0], "(") && isWord(inner.at(-1), ")")) {
    const deep = depths(inner);
    if (deep.slice(1, -1).some((depth) => depth === 0)) return inner;
    inner = inner.slice(1, -1);
  }
  return inner;
}

/** Returns the closing index; the number of pieces if unclosed. */
export function closingOf(pieces: readonly Piece[], open: number): number {
  let depth = 0;
  for (let at = open; at < pieces.length; at++) {
    if (isWord(pieces[at], "(")) depth++;
    else if (isWord(pieces[at], ")") && --depth === 0) return at;
  }
  return pieces.length;
}
