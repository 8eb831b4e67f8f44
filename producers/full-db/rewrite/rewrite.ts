import type { UnionTable } from "../../../shared/area-db/run-tables.ts";
import type { Connection } from "../../../shared/sqlite/connection.ts";
import { foldName } from "../../../shared/sqlite/names.ts";
import { nameOf, type Token } from "../../../shared/sqlite/tokens.ts";
import { staysOnOneSide } from "./colocated.ts";
import { parseFrom } from "./from.ts";
import { aliasName, orderTerms } from "./order.ts";
import { rewriteOuterAggregate } from "./outer-aggregate.ts";
import { groupsStayOnOneSide, itemText, type Join, pushDown, type Tail } from "./pushdown.ts";
import { asColumn, resultColumns } from "./references.ts";
import { type Core, parseSelect, type Select } from "./select.ts";
import { closingOf, isWord, type Piece, textOf } from "./token-list.ts";
import { sidesOf, type Union } from "./views.ts";

/**
 * Rewrites queries so that joins run on each side. SQLite flattens a view of two sides only into a query that neither
 * orders, groups nor left-joins; otherwise it reads whole tables. A join that provably follows run and test ids gives
 * the same rows on each side. Other joins keep reading the views.
 */
export interface Rewriter {
  /** Returns undefined to keep the statement. `tokens` are those of `sql`. */
  rewrite(sql: string, tokens: readonly Token[]): string | undefined;
}

interface Scope {
  tables: ReadonlyMap<string, UnionTable>;
  aggregates: ReadonlySet<string>;
  union: Union;
  sql: string;
  used: ReadonlySet<string>;
  /** Called for each rewritten core. */
  changed(): void;
}

/** Reads the aggregate functions from the connection. */
export function makeRewriter(db: Connection, union: Union): Rewriter {
  const both = union.tables.filter((table) => sidesOf(table, union).length === 2);
  const tables = new Map(both.map((table) => [table.name, table]));
  const names = db.prepare<[], string>("SELECT DISTINCT name FROM pragma_function_list WHERE type <> 's'");
  const aggregates = new Set(
    names
      .pluck()
      .all()
      .map((name) => name.toUpperCase()),
  );
  return {
    rewrite: (sql, tokens) => {
      const used = new Set(tokens.flatMap((token, index) => usedBy(token, tokens[index - 1])));
      if (![...tables.keys()].some((table) => used.has(table))) return undefined;
      if (namesTableItself(tokens, tables)) return undefined;
      let changes = 0;
      const changed = () => {
        changes++;
      };
      const text = rewriteStatement(tokens, { tables, aggregates, union, sql, used, changed });
      return changes === 0 ? undefined : text;
    },
  };
}

/** Returns the used name; `*` if it may ask for all columns, unlike in `count(*)`. */
function usedBy(token: Token, before: Token | undefined): string[] {
  if (token.value === "*") return isWord(before, "(") ? [] : ["*"];
  return [nameOf(token) ?? ""];
}

/** Returns true for a query like `WITH tests AS (…)`. */
function namesTableItself(tokens: readonly Token[], tables: ReadonlyMap<string, UnionTable>): boolean {
  return tokens.some((token, index) => {
    if (!tables.has(nameOf(token) ?? "") || !isWord(tokens[index - 1], "WITH", "RECURSIVE", ","))
      return false;
    const after = isWord(tokens[index + 1], "(") ? closingOf(tokens, index + 1) + 1 : index + 1;
    return isWord(tokens[after], "AS") && isWord(tokens[after + 1], "(", "MATERIALIZED", "NOT");
  });
}

function rewriteStatement(tokens: readonly Token[], scope: Scope): string | undefined {
  const ending = tokens.findIndex((token) => isWord(token, ";"));
  const all = ending < 0 ? tokens : tokens.slice(0, ending);
  const begin = all.findIndex((token) => isWord(token, "SELECT", "WITH", "VALUES"));
  if (begin < 0) return undefined;
  const pieces = foldSelects(all.slice(begin), scope);
  const text = rewriteSelect(pieces, scope, true);
  return `${textOf(all.slice(0, begin), scope.sql)} ${text}`.trimStart();
}

/** Rewrites subqueries, innermost first, to one piece each. */
function foldSelects(tokens: readonly Token[], scope: Scope): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    if (!isWord(token, "(") || !isWord(tokens[at + 1], "SELECT", "WITH")) {
      pieces.push(token);
      continue;
    }
    const close = closingOf(tokens, at);
    const inner = foldSelects(tokens.slice(at + 1, close), scope);
    const end = tokens[close]?.end ?? scope.sql.length;
    const text = `(${rewriteSelect(inner, scope, false)})`;
    pieces.push({ kind: "select", text, value: text, start: token.start, end });
    at = close;
  }
  return pieces;
}

function rewriteSelect(pieces: readonly Piece[], scope: Scope, outermost: boolean): string {
  const select = parseSelect(pieces);
  if (select === undefined) return textOf(pieces, scope.sql);
  const prefix = select.prefix.length === 0 ? "" : `${textOf(select.prefix, scope.sql)} `;
  const tail: Tail = { orderBy: select.orderBy, limit: select.limit };
  const [only] = select.cores;
  if (select.cores.length === 1 && only?.core !== undefined) {
    const text = rewriteCore(only.core, tail, scope, outermost);
    if (text !== undefined) return prefix + text;
  }
  return prefix + asWritten(select, scope);
}

function asWritten(select: Select, scope: Scope): string {
  const none: Tail = { orderBy: undefined, limit: undefined };
  const compound = select.cores.length > 1 && ordersByFirstCore(select, scope);
  const cores = select.cores.map(({ core, pieces }) => {
    const text = core === undefined || !compound ? undefined : rewriteCore(core, none, scope, false);
    if (text !== undefined) return `SELECT * FROM (${text})`;
    return core === undefined ? textOf(pieces, scope.sql) : coreAsWritten(core, scope.sql);
  });
  const order = select.orderBy === undefined ? "" : ` ORDER BY ${textOf(select.orderBy, scope.sql)}`;
  const limit = select.limit === undefined ? "" : ` LIMIT ${textOf(select.limit, scope.sql)}`;
  const text = cores.map((core, index) => {
    const operator = select.operators[index - 1];
    return operator === undefined ? core : `${textOf(operator, scope.sql)} ${core}`;
  });
  return text.join(" ") + order + limit;
}

/**
 * Returns true if each ORDER BY term of a compound is a number or one column of the first core. Any other name may
 * belong to a later core; but to the first once that is `SELECT * FROM (…)`, where every column has a name.
 */
function ordersByFirstCore({ cores, orderBy = [] }: Select, { tables, sql }: Scope): boolean {
  const core = cores[0]?.core;
  const sources = core?.from === undefined ? undefined : parseFrom(core.from, tables);
  const columns = core === undefined || sources === undefined ? [] : resultColumns(core.items, sources, sql);
  return orderTerms(orderBy).every(({ expression }) => {
    const [piece] = expression;
    if (expression.length !== 1 || piece === undefined) return false;
    if (piece.kind === "number") return true;
    const name = aliasName(piece);
    const [only, ...more] = (columns ?? []).filter((column) => foldName(column.name) === name);
    if (only === undefined || more.length > 0) return false;
    return only.alias !== undefined || asColumn(expression, sources ?? []) !== undefined;
  });
}

/** Returns the core; items with a changed subquery get their original name. */
function coreAsWritten(core: Core, sql: string): string {
  const [first, last] = [core.items[0]?.pieces[0], core.items.at(-1)?.pieces.at(-1)];
  const from = core.pieces.indexOf(first as Piece);
  const to = core.pieces.indexOf(last as Piece) + 1;
  const items = core.items.map((item) => itemText(item.pieces, item.alias, sql)).join(", ");
  const rest = core.pieces.slice(to);
  return `${textOf(core.pieces.slice(0, from), sql)} ${items}${rest.length === 0 ? "" : ` ${textOf(rest, sql)}`}`;
}

function rewriteCore(core: Core, tail: Tail, scope: Scope, outermost: boolean): string | undefined {
  const sources = core.from === undefined ? undefined : parseFrom(core.from, scope.tables);
  if (sources === undefined || !staysOnOneSide(sources, core.where)) return undefined;
  const columns = resultColumns(core.items, sources, scope.sql);
  if (columns === undefined) return undefined;
  const counts = countsRows(core, tail, scope);
  const grouped = core.groupBy !== undefined || core.having !== undefined;
  const plain = !counts && !grouped && !core.distinct;
  // SQLite flattens a view of one table, but tests a WHERE condition only after the side, which costs more than most
  // conditions.
  const untouched = plain && tail.orderBy === undefined && core.where === undefined;
  if (outermost && sources.length === 1 && untouched) return undefined;
  const join: Join = { sources, where: core.where, union: scope.union, sql: scope.sql, used: scope.used };
  const windows = [...core.pieces, ...(tail.orderBy ?? [])].some((piece) => isWord(piece, "OVER"));
  const within = plain || (!core.distinct && !windows && groupsStayOnOneSide(core, join));
  const text = within
    ? pushDown(core, columns, join, tail)
    : rewriteOuterAggregate(core, columns, join, tail);
  if (text !== undefined) scope.changed();
  return text;
}

function countsRows(core: Core, tail: Tail, { aggregates }: Scope): boolean {
  const expressions = [...core.items.flatMap(({ expression }) => expression), ...(tail.orderBy ?? [])];
  return expressions.some((piece, index) => {
    return (
      piece.kind !== "select" &&
      aggregates.has(piece.value.toUpperCase()) &&
      isWord(expressions[index + 1], "(")
    );
  });
}
