import { foldName } from "../../../shared/sqlite/names.ts";
import { nameOf, type Token } from "../../../shared/sqlite/tokens.ts";
import type { Source } from "./from.ts";
import type { Item } from "./select.ts";
import { isWord, originalText, type Piece } from "./token-list.ts";

export interface Reference {
  source: Source;
  /** As the table spells it. */
  column: string;
  /** One, or three with the table. */
  length: 1 | 3;
}

export type Resolution = Reference | "unknown" | "ambiguous";

/** Resolves a name as SQLite would, among the tables of one FROM clause. */
export function resolveAt(pieces: readonly Piece[], at: number, sources: readonly Source[]): Resolution {
  const first = nameAt(pieces[at]);
  if (first === undefined) return "unknown";
  if (isWord(pieces[at + 1], ".")) {
    const column = nameAt(pieces[at + 2]);
    const source = sources.find(({ alias }) => foldName(alias) === first);
    if (source === undefined || column === undefined || isWord(pieces[at + 3], ".")) return "unknown";
    const spelled = spelling(source, column);
    return spelled === undefined ? "unknown" : { source, column: spelled, length: 3 };
  }
  const found = sources.flatMap((source) => {
    const column = spelling(source, first);
    return column === undefined ? [] : [{ source, column, length: 1 } as const];
  });
  const [only] = found;
  if (only === undefined) return "unknown";
  return found.length === 1 ? only : "ambiguous";
}

export function asColumn(pieces: readonly Piece[], sources: readonly Source[]): Reference | undefined {
  const found = resolveAt(pieces, 0, sources);
  return typeof found === "object" && found.length === pieces.length ? found : undefined;
}

function spelling({ table }: Source, column: string): string | undefined {
  return table.columns.find(({ name }) => foldName(name) === column)?.name;
}

function nameAt(piece: Piece | undefined): string | undefined {
  return piece === undefined || piece.kind === "select" ? undefined : nameOf(piece as Token);
}

export interface ResultColumn {
  /** Set if it is exactly one column. */
  reference: Pick<Reference, "source" | "column"> | undefined;
  /** As SQLite names it. */
  name: string;
  alias: string | undefined;
  /** [] for a column of a `*`. */
  expression: readonly Piece[];
}

/** Expands `*` and `table.*`. Undefined for a `*` of an unknown table. */
export function resultColumns(
  items: readonly Item[],
  sources: readonly Source[],
  sql: string,
): ResultColumn[] | undefined {
  const columns: ResultColumn[] = [];
  for (const item of items) {
    const starred = starredSources(item.expression, sources);
    if (starred === undefined) {
      const reference = asColumn(item.expression, sources);
      const { alias, expression } = item;
      const name = alias ?? reference?.column ?? originalText(expression, sql);
      columns.push({ reference, name, alias, expression });
      continue;
    }
    if (starred.length === 0) return undefined;
    for (const source of starred) {
      for (const { name } of source.table.columns) {
        columns.push({ reference: { source, column: name }, name, alias: undefined, expression: [] });
      }
    }
  }
  return columns;
}

/** Returns the tables of a `*`. */
function starredSources(expression: readonly Piece[], sources: readonly Source[]): Source[] | undefined {
  if (expression.length === 1 && isWord(expression[0], "*")) return [...sources];
  if (expression.length !== 3 || !isWord(expression[1], ".") || !isWord(expression[2], "*")) return undefined;
  const first = expression[0];
  const name = first?.kind === "word" || first?.kind === "quoted-name" ? foldName(first.value) : "";
  return sources.filter(({ alias }) => foldName(alias) === name);
}
