import { JobsError } from "../../shared/errors.ts";
import { plural } from "../../shared/plural.ts";
import { type Connection, fileOf, type Part, prepared } from "../../shared/sqlite/connection.ts";

/** Rows that were to go: a table with a condition, as it stands after `FROM`, and what it is bound to. */
export interface Going {
  going: string;
  parameters: readonly string[];
}

/**
 * Looks for rows that are left, in the transaction that deleted them: a trigger may keep a row, and SQLite does not say so.
 *
 * @throws JobsError `unknown-schema`
 */
export function assertGone(db: Connection, part: Part, table: string, { going, parameters }: Going): void {
  const count = prepared<readonly string[] & unknown[], number>(db, `SELECT count(*) FROM ${going}`).pluck();
  const left = count.get(...parameters) ?? 0;
  if (left === 0) return;
  const file = fileOf(db, part);
  throw new JobsError(
    "unknown-schema",
    `${plural(left, "row")} of table ${table} cannot be deleted from ${file}`,
    {
      hint: "see which of its triggers, or what else, keeps them there, and take that away; this change was undone, and the next job goes on from here",
      details: { file, table, rows: left },
    },
  );
}
