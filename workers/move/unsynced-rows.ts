import { columnList, sameRow } from "../sqlite/row-sql.ts";

/**
 * Tables that Megatest never syncs have other ids in each database, so their rows are told apart by parent
 * and content. Equal rows are counted: three in one database and two in the other leave one unmatched.
 */

/** Columns that make up the content: neither the id nor the time of the last write. */
function contentColumns(columns: readonly string[]): string[] {
  return columns.filter((name) => name !== "id" && name !== "last_update");
}

/**
 * A SELECT of those of `rows` that have no partner in `known`.
 *
 * @param rows a SELECT of `columns`
 * @param known a SELECT of `columns`
 */
export function unmatchedRows(rows: string, known: string, columns: readonly string[]): string {
  const content = contentColumns(columns);
  const numbered = (select: string) =>
    `SELECT *, row_number() OVER (PARTITION BY ${columnList(content)} ORDER BY id) AS twin FROM (${select})`;
  return `SELECT ${columnList(columns, "u")} FROM (${numbered(rows)}) AS u
    LEFT JOIN (${numbered(known)}) AS k ON k.twin = u.twin AND ${sameRow("k", "u", content)}
    WHERE k.twin IS NULL`;
}
