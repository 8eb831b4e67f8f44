import { prepared } from "../../shared/sqlite/connection.ts";
import { idRanges, preparedIds } from "../../shared/sqlite/ids.ts";
import { type KeptVersion, underNewIds } from "../move/ids/kept-version.ts";
import type { JobSession } from "../move/session/job-session.ts";

/** Versions read in one statement. */
const chunk = 1_000;

/**
 * Adds the versions kept of a run's rows, each once, under the ids that the rows get: by these a version is found, and
 * an old id may be another row's. Call inside a transaction, with `export` attached.
 */
export function addVersions(session: JobSession): void {
  const { db } = session;
  const read = prepared<[bigint, bigint], KeptVersion>(
    db,
    `SELECT id, table_name, row_id, columns, row, carried FROM export.mtjobs_superseded
     WHERE id BETWEEN ? AND ? ORDER BY id`,
  ).safeIntegers();
  const add = prepared<Record<string, unknown>>(
    db,
    `INSERT INTO completed.mtjobs_superseded (table_name, row_id, source, reason, job_id, at, columns, row, carried)
     SELECT table_name, :rowId, source, reason, job_id, at, columns, :row, :carried FROM export.mtjobs_superseded AS e
     WHERE e.id = :id AND NOT EXISTS (SELECT 1 FROM completed.mtjobs_superseded AS p
       WHERE p.table_name = e.table_name AND p.row_id IS :rowId AND p.row = :row)`,
  );
  for (const range of idRanges(db, "export.mtjobs_superseded", chunk)) {
    for (const version of read.all(...range)) {
      const { rowId, row, carried } = underNewIds(version, (table, old) => newId(session, table, old));
      add.run({ id: version.id, rowId, row, carried });
    }
  }
}

function newId({ db }: JobSession, table: string, old: bigint): bigint {
  const found = preparedIds<[string, bigint]>(
    db,
    "SELECT new_id FROM temp.import_ids WHERE table_name = ? AND old_id = ?",
  );
  return found.get(table, old) ?? old;
}
