import { foldName } from "../../sqlite/names.ts";
import type { Source } from "./from.ts";
import { isWord, originalText, type Piece } from "./pieces.ts";
import { asColumn, type Reference } from "./references.ts";
import type { Item } from "./select.ts";

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
