import { missingColumns } from "../../shared/area-db/missing-columns.ts";
import type { Connection } from "../../shared/sqlite/connection.ts";

/**
 * Adds the columns of `part`'s tables that those of completed-runs.db, attached as `completed`, lack. Call inside its
 * transaction.
 *
 * @param run runs a statement
 * @returns whether any was missing
 */
export function widenCompleted(db: Connection, part: string, run: (sql: string) => unknown): boolean {
  const names = db
    .prepare<[], string>(
      "SELECT name FROM completed.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'mtjobs\\_%' ESCAPE '\\'",
    )
    .pluck()
    .all();
  const statements = names.flatMap((name) =>
    missingColumns(name, { db, schema: part }, { db, schema: "completed" }),
  );
  for (const sql of statements) run(sql);
  return statements.length > 0;
}
