import { type Connection, isConstraintError, prepared } from "../../../shared/sqlite/connection.ts";
import { withoutTriggers } from "../../../shared/sqlite/triggers.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { columnList } from "../../records/row-sql.ts";
import type { JobSession } from "../session/job-session.ts";

/** Inserts every staged row into completed-runs.db. Call inside a transaction. */
export function insertStage({ db, records }: JobSession): void {
  for (const record of records) {
    giveUpTakenIds(db, record);
    insertRows(db, record);
  }
}

/**
 * Below every id that Megatest writes. Rows that lose their id are numbered downwards from here, so that they never
 * collide with a later row that keeps its cache's id.
 */
export const belowAllIds = -(2 ** 40);

/** Lower bound of the ids given this way, with room for any number of rows. */
const lowestGiven = -(2n ** 62n);

/** Ids of never-synced tables have no meaning outside their database: a taken one is replaced. */
function giveUpTakenIds(db: Connection, { table, synced }: RecordPlan): void {
  if (synced) return;
  const stage = `temp.stage_${table}`;
  const lowest = `(SELECT min(id) FROM (SELECT min(id) AS id FROM completed.${table} UNION ALL SELECT ${belowAllIds}))`;
  // If the lowest ids are in use, SQLite chooses one.
  const given = `iif(${lowest} > ${lowestGiven}, ${lowest} - n.rank, NULL)`;
  db.exec(`UPDATE ${stage} AS s SET id = NULL WHERE EXISTS (SELECT 1 FROM completed.${table} AS d WHERE d.id = s.id)
      OR EXISTS (SELECT 1 FROM ${stage} AS e WHERE e.id = s.id AND e.mtjobs_row < s.mtjobs_row);
    UPDATE ${stage} AS s SET id = ${given}
      FROM (SELECT mtjobs_row, row_number() OVER (ORDER BY mtjobs_row) AS rank FROM ${stage} WHERE id IS NULL) AS n
      WHERE n.mtjobs_row = s.mtjobs_row`);
}

/** OR ABORT, whatever the schema says: a row must neither replace another nor be skipped. */
function insertRows(db: Connection, { table, columnsIn }: RecordPlan, which = "1", ...run: [bigint?]): void {
  const names = columnList(columnsIn("completed"));
  prepared(
    db,
    `INSERT OR ABORT INTO completed.${table} (${names}) SELECT ${names} FROM temp.stage_${table} WHERE ${which}`,
  ).run(...run);
}

/**
 * Returns the staged runs with rows that completed-runs.db rejects (two rows of one name, a NULL that is not
 * allowed), with SQLite's messages. Commits nothing.
 */
export function findRefused(session: JobSession, runs: readonly bigint[]): Map<bigint, string> {
  const { db, records } = session;
  const refused = new Map<bigint, string>();
  db.exec("BEGIN");
  try {
    withoutTriggers(db, "completed", () => {
      for (const record of records) giveUpTakenIds(db, record);
      for (const run of runs) {
        const reason = tryRun(session, run);
        if (reason !== undefined) refused.set(run, reason);
      }
    });
  } finally {
    if (db.inTransaction) db.exec("ROLLBACK");
  }
  return refused;
}

/** Inserts one run's rows; if that fails, undoes them and returns the reason. */
function tryRun({ db, records }: JobSession, run: bigint): string | undefined {
  db.exec("SAVEPOINT one_run");
  try {
    for (const record of records) insertRows(db, record, rowsOfRun[record.parent ?? "id"], run);
    return undefined;
  } catch (error) {
    if (!isConstraintError(error)) throw error;
    db.exec("ROLLBACK TO one_run");
    return error.message;
  } finally {
    if (db.inTransaction) db.exec("RELEASE one_run");
  }
}

/** SQL by parent: the staged rows of one run, whose id is the parameter. */
const rowsOfRun = {
  id: "id = ?",
  run_id: "run_id = ?",
  test_id: "test_id IN (SELECT id FROM temp.stage_tests WHERE run_id = ?)",
};
