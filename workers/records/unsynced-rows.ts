import { quoteName } from "../../shared/sqlite/connection.ts";
import { columnList, sameRow } from "./row-sql.ts";

// Never-synced tables have different ids in each database, so their rows are identified by parent and content. Equal
// rows are counted: three in one database and two in the other leave one unmatched.

/** Returns the columns that are content: without the id and the time of the last write. */
function contentColumns(columns: readonly string[]): string[] {
  return columns.filter((name) => name !== "id" && name !== "last_update");
}

/** Numbers equal rows of a SELECT, so that the first is matched with the first. */
function numbered(select: string, content: readonly string[]): string {
  const binary = content.map((name) => `${quoteName(name)} COLLATE BINARY`);
  return `SELECT *, row_number() OVER (PARTITION BY ${binary.join(", ")} ORDER BY id) AS mtjobs_twin FROM (${select})`;
}

/** How two sides are compared. */
interface Compared {
  /** Columns that both have, including `id`. */
  compared: readonly string[];
  /** See `RecordPlan`. */
  mixed: readonly string[];
}

/**
 * SQL: a SELECT of those of `rows` that have no partner in `known`.
 *
 * @param rows a SELECT of `columns`
 * @param known a SELECT of `compared`
 */
export function unmatchedRows(
  rows: string,
  known: string,
  { columns, compared, mixed }: Compared & { columns: readonly string[] },
): string {
  const content = contentColumns(compared);
  return `SELECT ${columnList(columns, "u")} FROM (${numbered(rows, content)}) AS u
    LEFT JOIN (${numbered(known, content)}) AS k ON k.mtjobs_twin = u.mtjobs_twin AND ${sameRow("k", "u", content, mixed)}
    WHERE k.mtjobs_twin IS NULL`;
}

/**
 * SQL: a SELECT of `key` of those of `known` that have a partner in `rows`, with the partner's `own` columns.
 *
 * @param known a SELECT of `key` and `compared`
 */
export function partnersOf(
  known: string,
  rows: string,
  { key, compared, own, mixed }: Compared & { key: string; own: readonly string[] },
): string {
  const content = contentColumns(compared);
  return `SELECT k.${quoteName(key)}, ${columnList(own, "u")} FROM (${numbered(known, content)}) AS k
    JOIN (${numbered(rows, content)}) AS u ON u.mtjobs_twin = k.mtjobs_twin AND ${sameRow("k", "u", content, mixed)}`;
}
