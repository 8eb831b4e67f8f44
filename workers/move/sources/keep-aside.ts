import { prepared, quoteText } from "../../../shared/sqlite/connection.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { rowLiteral } from "../../records/row-sql.ts";
import type { SourceSession } from "./source-session.ts";

/** Keeps aside the children of copied tests that were registered again under other ids. */
export function keepChildVersions(session: SourceSession, tests: string): number {
  const { db, records } = session;
  let superseded = 0;
  for (const child of records.filter(({ parent }) => parent === "test_id")) {
    const rows = `completed.${child.table}`;
    superseded += keepVersion(
      session,
      child,
      rows,
      `x.test_id IN ${tests}`,
      "its test was registered again under another id",
    );
    db.exec(`DELETE FROM ${rows} WHERE test_id IN ${tests}`);
  }
  db.exec(`DELETE FROM completed.mtjobs_archived WHERE test_id IN ${tests}`);
  return superseded;
}

/** Records rows in `mtjobs_superseded`; returns how many. */
export function keepVersion(
  { db, part, jobId }: SourceSession,
  record: RecordPlan,
  table: string,
  where: string,
  reason: string,
): number {
  const source = table.startsWith("completed") ? "completed" : part;
  const columns = record.columnsIn(source);
  return prepared(
    db,
    `INSERT INTO completed.mtjobs_superseded (table_name, row_id, source, reason, job_id, at, columns, row, carried)
       SELECT ${quoteText(record.table)}, x.id, ${quoteText(source)}, ?, ?, ?, ?, ${rowLiteral("x", columns)},
         ${rowLiteral("x", record.carried(part, "completed"))}
       FROM ${table} AS x WHERE ${where}`,
  ).run(reason, jobId, Date.now(), JSON.stringify(columns)).changes;
}
