import { quoteName } from "../../../shared/sqlite/connection.ts";
import { foldName } from "../../../shared/sqlite/names.ts";
import { nameOf, type Token, tokenize } from "../../../shared/sqlite/tokens.ts";
import { isReserved } from "./keywords.ts";
import { aliasName, orderTerms } from "./order.ts";
import { type Join, joinOn, type Tail } from "./pushdown.ts";
import { type ResultColumn, resolveAt } from "./references.ts";
import type { Core } from "./select.ts";
import { closingOf, isWord, type Piece, splitList, textOf } from "./token-list.ts";

class Exports {
  readonly #names = new Map<string, string>();
  readonly columns: string[] = [];

  nameOf(alias: string, column: string): string {
    const inside = `${quoteName(alias)}.${quoteName(column)}`;
    let name = this.#names.get(inside);
    if (name === undefined) {
      name = `mtjobs_${this.columns.length}`;
      this.#names.set(inside, name);
      this.columns.push(`${inside} AS ${name}`);
    }
    return name;
  }
}

/**
 * Rewrites a core that counts, groups or compares over both sides: only its join runs on each side. Undefined if a
 * name cannot be resolved with certainty, or a subquery outside WHERE and ON might name a column.
 */
export function rewriteOuterAggregate(
  core: Core,
  columns: readonly ResultColumn[],
  join: Join,
  tail: Tail,
): string | undefined {
  const exports = new Exports();
  const aliases = new Set(columns.flatMap(({ alias }) => (alias === undefined ? [] : [foldName(alias)])));
  if (conditionsUseAlias(aliases, join)) return undefined;
  const outside = (pieces: readonly Piece[], known: ReadonlySet<string>) =>
    renamed(pieces, known, exports, join);
  const list = columns.map(({ reference, expression, name }) => {
    const text =
      reference === undefined
        ? outside(expression, new Set())
        : exports.nameOf(reference.source.alias, reference.column);
    return text === undefined ? undefined : `${text} AS ${quoteName(name)}`;
  });
  const clauses = [
    clause("GROUP BY", core.groupBy, (term) => outside(term, aliases)),
    core.having === undefined ? "" : prefixed("HAVING", outside(core.having, aliases)),
    tail.orderBy === undefined ? "" : orderClause(tail.orderBy, aliases, outside, join.sql),
    tail.limit === undefined ? "" : `LIMIT ${textOf(tail.limit, join.sql)}`,
  ];
  if (list.includes(undefined) || clauses.includes(undefined)) return undefined;
  const inner = exports.columns.length === 0 ? "1 AS mtjobs_0" : exports.columns.join(", ");
  const both = (["main", "completed"] as const)
    .map((side) => `SELECT ${inner} ${joinOn(side, join)}`)
    .join(" UNION ALL ");
  const distinct = core.distinct ? "DISTINCT " : "";
  return [`SELECT ${distinct}${list.join(", ")} FROM (${both})`, ...clauses]
    .filter((clause) => clause !== "")
    .join(" ");
}

/**
 * Returns true if WHERE or ON may name an alias, which the inner select lacks: there a column of the query around it
 * would be found instead.
 */
function conditionsUseAlias(aliases: ReadonlySet<string>, { sources, where, sql }: Join): boolean {
  const names = new Set(
    [where, ...sources.map(({ on }) => on)].flatMap((pieces = []) => namesIn(pieces, sql)),
  );
  const columns = new Set(sources.flatMap(({ table }) => table.columns.map(({ name }) => foldName(name))));
  return [...aliases].some((alias) => names.has(alias) && !columns.has(alias));
}

/** Returns the lower-case names, also those in subqueries. */
function namesIn(pieces: readonly Piece[], sql: string): string[] {
  return pieces.flatMap((piece) => {
    const tokens = piece.kind === "select" ? tokenize(sql.slice(piece.start, piece.end)) : [piece as Token];
    return tokens.map((token) => nameOf(token) ?? "");
  });
}

type Rename = (pieces: readonly Piece[], known: ReadonlySet<string>) => string | undefined;

function clause(
  word: string,
  pieces: readonly Piece[] | undefined,
  text: (term: readonly Piece[]) => string | undefined,
): string | undefined {
  if (pieces === undefined) return "";
  const terms = splitList(pieces).map(text);
  return terms.includes(undefined) ? undefined : `${word} ${terms.join(", ")}`;
}

function prefixed(word: string, text: string | undefined): string | undefined {
  return text === undefined ? undefined : `${word} ${text}`;
}

/** Resolves a single name in ORDER BY as an alias first and a column second; elsewhere it is the reverse. */
function orderClause(
  pieces: readonly Piece[],
  aliases: ReadonlySet<string>,
  outside: Rename,
  sql: string,
): string | undefined {
  const terms = orderTerms(pieces).map(({ expression, suffix }) => {
    const [first] = expression;
    const name = expression.length === 1 && first !== undefined ? aliasName(first) : undefined;
    const isAlias = name !== undefined && aliases.has(name);
    const text = isAlias ? textOf(expression, sql) : outside(expression, aliases);
    return text === undefined ? undefined : `${text} ${textOf(suffix, sql)}`.trimEnd();
  });
  return terms.includes(undefined) ? undefined : `ORDER BY ${terms.join(", ")}`;
}

/** Replaces each column of an expression by its outer name. */
function renamed(
  pieces: readonly Piece[],
  aliases: ReadonlySet<string>,
  exports: Exports,
  join: Join,
): string | undefined {
  const out: Piece[] = [];
  for (let at = 0; at < pieces.length; at++) {
    const piece = pieces[at] as Piece;
    if (piece.kind === "select") return undefined;
    const verbatim = (piece.kind !== "word" && piece.kind !== "quoted-name") || isNoColumn(pieces, at);
    if (verbatim) {
      out.push(piece);
      continue;
    }
    const found = resolveAt(pieces, at, join.sources);
    const keyword = piece.kind === "word" && isReserved(piece.value);
    if (typeof found === "object") {
      // Only SQLite's grammar can decide which it is.
      if (keyword && found.length === 1) return undefined;
      const end = pieces[at + found.length - 1] as Piece;
      out.push({ ...piece, text: exports.nameOf(found.source.alias, found.column), end: end.end });
      at += found.length - 1;
    } else if (
      found === "unknown" &&
      !isWord(pieces[at + 1], ".") &&
      (keyword || aliases.has(foldName(piece.value)))
    ) {
      out.push(piece);
    } else return undefined;
  }
  return textOf(out, join.sql);
}

/** Returns true for a function, a collation or the type of a CAST. */
function isNoColumn(pieces: readonly Piece[], at: number): boolean {
  if (pieces[at]?.kind === "word" && isWord(pieces[at + 1], "(") && !isReserved(pieces[at]?.value ?? ""))
    return true;
  if (isWord(pieces[at - 1], "COLLATE")) return true;
  for (let open = at - 1; open >= 0; open--) {
    if (!isWord(pieces[open], "(") || !isWord(pieces[open - 1], "CAST") || closingOf(pieces, open) < at)
      continue;
    return pieces.slice(open, at).some((piece) => isWord(piece, "AS"));
  }
  return false;
}
