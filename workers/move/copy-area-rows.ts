import { quoteName } from "../../shared/sqlite/connection.ts";
import { NameSet } from "../../shared/sqlite/names.ts";
import { columnNames } from "../../shared/sqlite/table.ts";
import { withoutTriggers } from "../../shared/sqlite/triggers.ts";
import type { Source } from "../area-db/databases.ts";
import { columnList } from "../records/row-sql.ts";
import type { JobSession } from "./session/job-session.ts";

/** Tables that describe the area as a whole, with the column that identifies a row. */
const areaTables = [
  ["keys", "fieldname"],
  ["metadat", "var"],
  ["test_meta", "testname"],
] as const;

/**
 * Adds the rows that describe the area (target keys, Megatest's version, descriptions of tests) to completed-runs.db,
 * so that it can be read alone. Never overwrites; of two versions of a missing row it takes the freshest database's.
 * Commits only if rows are missing.
 */
export async function copyAreaRows(session: JobSession): Promise<void> {
  const { fresh, sources } = session;
  const others = sources.filter((part) => part !== fresh && part !== "ref");
  for (const part of [fresh, ...others]) {
    for (const [table, name] of areaTables) {
      await session.read(() => addMissing(session, part, table, name));
    }
  }
}

function addMissing(session: JobSession, part: Source, table: string, name: string): void {
  const { db } = session;
  const here = new NameSet(columnNames(db, part, table));
  const columns = columnNames(db, "completed", table).filter((column) => here.has(column));
  if (!columns.includes(name)) return;
  // Read into a temporary table first: no lock on the source lasts while completed-runs.db commits.
  db.exec(`DROP TABLE IF EXISTS temp.missing;
    CREATE TEMP TABLE missing AS SELECT ${columnList(columns, "x")} FROM ${part}.${table} AS x
      WHERE NOT EXISTS (SELECT 1 FROM completed.${table} AS d WHERE d.${quoteName(name)} IS x.${quoteName(name)})`);
  if (db.prepare("SELECT EXISTS (SELECT 1 FROM temp.missing)").pluck().get() === 0) return;
  session.commitOnce("completed", () => {
    withoutTriggers(db, "completed", () => {
      db.exec(`INSERT OR IGNORE INTO completed.${table} (${columnList(columns)})
        SELECT ${columnList(columns)} FROM temp.missing`);
      // Their ids were taken. Nothing refers to them, so they get new ones.
      const rest = columnList(columns.filter((column) => column !== "id"));
      db.exec(`INSERT OR IGNORE INTO completed.${table} (${rest}) SELECT ${rest} FROM temp.missing AS x
        WHERE NOT EXISTS (SELECT 1 FROM completed.${table} AS d WHERE d.${quoteName(name)} IS x.${quoteName(name)})`);
    });
  });
}
