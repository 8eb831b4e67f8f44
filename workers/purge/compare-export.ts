import {
  type Connection,
  openReadonlyConnection,
  prepared,
  quoteName,
} from "../../shared/sqlite/connection.ts";
import { busyTimeoutMs } from "../area-db/databases.ts";
import type { JobSession } from "../move/session/job-session.ts";
import { sameRow } from "../records/row-sql.ts";
import { missingIn, type Rows, runContent, testContent, testRanges } from "./export-content.ts";
import { type Exported, keepLease } from "./write-export.ts";

/**
 * Compares every row of the run, in every column, with an export that `readExport` has read.
 *
 * @returns false if it is an export of anything else
 */
export async function isExportOf(session: JobSession, run: Exported, path: string): Promise<boolean> {
  const db = openReadonlyConnection({ completed: session.files.completed, export: path }, { busyTimeoutMs });
  try {
    const counts = new Map<string, number>();
    const same = (all: readonly Rows[]) => session.read(() => areSame(db, all, counts));
    if (!(await same(runContent(session, { run: run.id, superseded: run.superseded })))) return false;
    for await (const range of testRanges(session, run.id)) {
      if (!(await same(testContent(session, run.id, range)))) return false;
      await keepLease(session);
    }
    return await session.read(() => [...counts].every(([table, count]) => countIn(db, table) === count));
  } finally {
    db.close();
  }
}

/** Compares rows by id, and adds their numbers to `counts`. */
function areSame(db: Connection, all: readonly Rows[], counts: Map<string, number>): boolean {
  return all.every((rows) => {
    const { table, columns, key, where, parameters } = rows;
    if (missingIn(db, rows).length > 0) return false;
    const from = `completed.${table} AS d`;
    const isDifferent = prepared<object, number>(
      db,
      `SELECT EXISTS (SELECT 1 FROM ${from} LEFT JOIN export.${table} AS e ON e.${quoteName(key)} = d.${quoteName(key)}
         WHERE ${where} AND (e.${quoteName(key)} IS NULL OR NOT (${sameRow("d", "e", columns)})))`,
    ).pluck();
    if (isDifferent.get(parameters) === 1) return false;
    const count = prepared<object, number>(db, `SELECT count(*) FROM ${from} WHERE ${where}`).pluck();
    counts.set(table, (counts.get(table) ?? 0) + (count.get(parameters) ?? 0));
    return true;
  });
}

function countIn(db: Connection, table: string): number {
  return prepared<[], number>(db, `SELECT count(*) FROM export.${table}`).pluck().get() ?? 0;
}
