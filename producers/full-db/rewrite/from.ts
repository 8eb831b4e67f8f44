import type { UnionTable } from "../../../shared/area-db/run-tables.ts";
import { foldName } from "../../../shared/sqlite/names.ts";
import { nameOf, type Token } from "../../../shared/sqlite/tokens.ts";
import { isReserved } from "./keywords.ts";
import { isWord, type Piece } from "./token-list.ts";

export interface Source {
  table: UnionTable;
  /** As written, without quotes. */
  alias: string;
  /** As written; empty for the first. */
  operator: readonly Piece[];
  /** Unmatched rows on its left are kept. */
  optional: boolean;
  on: readonly Piece[] | undefined;
}

const joinWords = ["JOIN", "LEFT", "INNER", "CROSS", "OUTER", "NATURAL", "RIGHT", "FULL"];

/**
 * Parses a join of tables that may have rows on both sides. Undefined for another table, a subquery, USING, NATURAL,
 * RIGHT or FULL joins, or a repeated name.
 */
export function parseFrom(
  pieces: readonly Piece[],
  tables: ReadonlyMap<string, UnionTable>,
): Source[] | undefined {
  const sources: Source[] = [];
  let at = 0;
  while (at < pieces.length) {
    const start = at;
    if (sources.length > 0) {
      while (isWord(pieces[at], ",", ...joinWords)) at++;
      if (at === start) return undefined;
    }
    const operator = pieces.slice(start, at);
    if (operator.some((piece) => isWord(piece, "NATURAL", "RIGHT", "FULL"))) return undefined;
    const table = tables.get(nameAt(pieces[at]) ?? "");
    if (table === undefined) return undefined;
    const written = aliasAt(pieces, at + 1);
    const alias = written?.alias ?? plainName(pieces[at]);
    at = written?.next ?? at + 1;
    const condition = conditionAt(pieces, at);
    at = condition.next;
    sources.push({
      table,
      alias,
      operator,
      optional: operator.some((piece) => isWord(piece, "LEFT")),
      on: condition.on,
    });
  }
  const names = new Set(sources.map(({ alias }) => foldName(alias)));
  return names.size === sources.length ? sources : undefined;
}

function nameAt(piece: Piece | undefined): string | undefined {
  return piece === undefined || piece.kind === "select" ? undefined : nameOf(piece as Token);
}

function plainName(piece: Piece | undefined): string {
  return piece?.kind === "word" ? piece.text : (piece?.value ?? "");
}

function aliasAt(pieces: readonly Piece[], at: number): { alias: string; next: number } | undefined {
  const marked = isWord(pieces[at], "AS");
  const piece = pieces[marked ? at + 1 : at];
  const isName = piece?.kind === "quoted-name" || (piece?.kind === "word" && !isReserved(piece.value));
  return isName ? { alias: plainName(piece), next: at + (marked ? 2 : 1) } : undefined;
}

function conditionAt(
  pieces: readonly Piece[],
  at: number,
): { on: readonly Piece[] | undefined; next: number } {
  if (!isWord(pieces[at], "ON")) return { on: undefined, next: at };
  let depth = 0;
  let next = at + 1;
  for (; next < pieces.length; next++) {
    const piece = pieces[next];
    if (depth === 0 && isWord(piece, ",", ...joinWords)) break;
    if (isWord(piece, "(")) depth++;
    else if (isWord(piece, ")")) depth--;
  }
  return { on: pieces.slice(at + 1, next), next };
}
