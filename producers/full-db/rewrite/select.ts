import { endsExpression, isReserved } from "./keywords.ts";
import { findOutside, isWord, type Piece, splitAt, splitList } from "./token-list.ts";

export interface Item {
  expression: readonly Piece[];
  /** Undefined if SQLite derives the name. */
  alias: string | undefined;
  pieces: readonly Piece[];
}

/** A SELECT without ORDER BY and LIMIT. */
export interface Core {
  distinct: boolean;
  items: readonly Item[];
  from: readonly Piece[] | undefined;
  where: readonly Piece[] | undefined;
  groupBy: readonly Piece[] | undefined;
  having: readonly Piece[] | undefined;
  pieces: readonly Piece[];
}

/** A SELECT split at its keywords; expressions stay unparsed. */
export interface Select {
  /** `WITH …`, or empty. */
  prefix: readonly Piece[];
  /** `core` is undefined for VALUES and WINDOW. */
  cores: readonly { core: Core | undefined; pieces: readonly Piece[] }[];
  /** UNION, UNION ALL, … */
  operators: readonly (readonly Piece[])[];
  orderBy: readonly Piece[] | undefined;
  /** After the keyword. */
  limit: readonly Piece[] | undefined;
}

/** Returns undefined unless it begins like a query. */
export function parseSelect(pieces: readonly Piece[]): Select | undefined {
  const [begin] = findOutside(pieces, (piece) => isWord(piece, "SELECT", "VALUES"));
  if (begin === undefined || (begin > 0 && !isWord(pieces[0], "WITH"))) return undefined;
  const body = pieces.slice(begin);
  const [limitAt] = findOutside(body, (piece) => isWord(piece, "LIMIT"));
  const [orderAt] = findOutside(
    body,
    (piece, index) => isWord(piece, "ORDER") && isWord(body[index + 1], "BY"),
  );
  const end = orderAt ?? limitAt ?? body.length;
  const compound = body.slice(0, end);
  const cuts = findOutside(compound, (piece) => isWord(piece, "UNION", "INTERSECT", "EXCEPT"));
  const selects = splitAt(compound, cuts);
  const all = cuts.map((cut) => isWord(compound[cut + 1], "ALL"));
  const selectsAlone = selects.map((select, index) => (all[index - 1] === true ? select.slice(1) : select));
  return {
    prefix: pieces.slice(0, begin),
    cores: selectsAlone.map((select) => ({ core: parseCore(select), pieces: select })),
    operators: cuts.map((cut, index) => compound.slice(cut, cut + (all[index] === true ? 2 : 1))),
    orderBy: orderAt === undefined ? undefined : body.slice(orderAt + 2, limitAt ?? body.length),
    limit: limitAt === undefined ? undefined : body.slice(limitAt + 1),
  };
}

function parseCore(pieces: readonly Piece[]): Core | undefined {
  if (!isWord(pieces[0], "SELECT")) return undefined;
  const distinct = isWord(pieces[1], "DISTINCT");
  const begin = distinct || isWord(pieces[1], "ALL") ? 2 : 1;
  const body = pieces.slice(begin);
  const marks = findOutside(body, (piece, index) => isClause(piece, body, index));
  const clauses = new Map<string, Piece[]>();
  marks.forEach((mark, index) => {
    const word = body[mark]?.value ?? "";
    clauses.set(word, body.slice(mark + (word === "GROUP" ? 2 : 1), marks[index + 1] ?? body.length));
  });
  if (clauses.size !== marks.length || clauses.has("WINDOW")) return undefined;
  const items = splitList(body.slice(0, marks[0] ?? body.length)).map(parseItem);
  if (items.some((item) => item.expression.length === 0)) return undefined;
  return {
    distinct,
    items,
    from: clauses.get("FROM"),
    where: clauses.get("WHERE"),
    groupBy: clauses.get("GROUP"),
    having: clauses.get("HAVING"),
    pieces,
  };
}

function isClause(piece: Piece, body: readonly Piece[], index: number): boolean {
  if (isWord(piece, "GROUP")) return isWord(body[index + 1], "BY");
  // `a IS DISTINCT FROM b`
  if (isWord(piece, "FROM")) return !isWord(body[index - 1], "DISTINCT");
  return isWord(piece, "WHERE", "HAVING", "WINDOW");
}

/** Finds the alias after AS, or as a name that follows a complete expression. */
function parseItem(pieces: readonly Piece[]): Item {
  const last = pieces.at(-1);
  const before = pieces.at(-2);
  // After AS, `last` or `first` is a name too.
  const isName =
    last !== undefined &&
    (last.kind === "quoted-name" ||
      (last.kind === "word" && isWord(before, "AS")) ||
      last.kind === "string" ||
      (last.kind === "word" && !isReserved(last.value)));
  if (!isName || before === undefined) return { expression: pieces, alias: undefined, pieces };
  const alias = last.kind === "word" ? last.text : last.value;
  if (isWord(before, "AS")) return { expression: pieces.slice(0, -2), alias, pieces };
  const complete =
    before.kind === "word"
      ? !isReserved(before.value) || endsExpression(before.value)
      : before.kind !== "symbol" || isWord(before, ")");
  return complete
    ? { expression: pieces.slice(0, -1), alias, pieces }
    : { expression: pieces, alias: undefined, pieces };
}
