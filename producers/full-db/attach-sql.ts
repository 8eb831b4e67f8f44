import { quoteText } from "../../shared/sqlite/connection.ts";
import type { ReadFiles } from "./locate.ts";
import { openReader } from "./open-reader.ts";
import { viewStatements } from "./rewrite/views.ts";

/**
 * Returns SQL that gives any SQLite client's connection to megatest.db the full-db views. It matches the current
 * schemas only.
 *
 * @throws {JobsError} as `openReader`
 */
export function attachSql({ megatestDb, completedDb }: ReadFiles): string {
  const reader = openReader({ main: megatestDb, source: "megatest.db", megatestDb, completedDb });
  try {
    const { union, siteViews } = reader;
    if (union === undefined) return "";
    const attach =
      union.rule === undefined
        ? "-- no run was moved yet: there is no completed-runs.db to attach"
        : `ATTACH ${quoteText(completedDb)} AS completed;`;
    return [
      `-- For a connection to ${megatestDb.replaceAll(/\s/g, " ")}. Queries only: restore runs to change them.`,
      attach,
      ...viewStatements(union),
      ...siteViews,
      "",
    ].join("\n");
  } finally {
    reader.close();
  }
}
