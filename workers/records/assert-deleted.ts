import { JobsError } from "../../shared/errors.ts";
import { type Connection, fileOf, type Part, prepared } from "../../shared/sqlite/connection.ts";
import { plural } from "../../shared/text.ts";

/** Deleted rows: a table with a condition, as after `FROM`, and its parameters. */
export interface Deletion {
  going: string;
  parameters: readonly string[];
}

/**
 * Checks, in the transaction that deleted them, that no rows are left: a trigger may keep a row, and SQLite does not
 * report it.
 *
 * @throws JobsError `unknown-schema`
 */
export function assertDeleted(
  db: Connection,
  part: Part,
  table: string,
  { going, parameters }: Deletion,
): void {
  const count = prepared<readonly string[] & unknown[], number>(db, `SELECT count(*) FROM ${going}`).pluck();
  const left = count.get(...parameters) ?? 0;
  if (left === 0) return;
  const file = fileOf(db, part);
  throw new JobsError(
    "unknown-schema",
    `${plural(left, "row")} of table ${table} cannot be deleted from ${file}`,
    {
      hint: "find the trigger or constraint that keeps them, and remove it; this change was undone, and the next job continues from here",
      details: { file, table, rows: left },
    },
  );
}
