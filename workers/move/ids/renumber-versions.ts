import { type IdentifiedTable, identifiedTables } from "../../../shared/area-db/record-tables.ts";
import { prepared } from "../../../shared/sqlite/connection.ts";
import { idRanges } from "../../../shared/sqlite/ids.ts";
import { isIdText } from "../../../shared/sqlite/run-id.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import type { JobSession } from "../session/job-session.ts";
import { type KeptVersion, namesOf, splitLiterals, underNewIds } from "./kept-version.ts";
import { nameIn, namesAt } from "./name-of-version.ts";

/** Versions read in one statement. */
const chunk = 1_000;

/** New ids by old ones. */
export type NewIds = Record<IdentifiedTable, ReadonlyMap<bigint, bigint>>;

interface Version extends KeptVersion {
  job_id: string;
}

/**
 * Gives the versions kept of moved rows the ids that these have got: under the old ones they would pass for versions of
 * the records that have these by now, and leave with them in a purge. Call in the transaction that gives the rows their
 * new ids, after that.
 */
export function renumberVersions(session: JobSession, newIds: NewIds): void {
  if (identifiedTables.every((table) => newIds[table].size === 0)) return;
  const { db } = session;
  const read = prepared<[bigint, bigint], Version>(
    db,
    `SELECT id, table_name, row_id, columns, row, carried, job_id FROM completed.mtjobs_superseded
     WHERE id BETWEEN ? AND ? ORDER BY id`,
  ).safeIntegers();
  const write = prepared<[bigint | null, string, string, bigint]>(
    db,
    "UPDATE completed.mtjobs_superseded SET row_id = ?, row = ?, carried = ? WHERE id = ?",
  );
  for (const range of idRanges(db, "completed.mtjobs_superseded", chunk)) {
    for (const version of read.all(...range)) {
      const { rowId, row, carried } = underNewIds(version, (table, old) => newIds[table].get(old) ?? old);
      if (rowId === version.row_id && row === version.row && carried === version.carried) continue;
      if (isOfNewRecord(session, version, { rowId, row })) continue;
      write.run(rowId, row, carried, version.id);
    }
  }
}

/**
 * Returns true if a version is of the record that has the old ids by now: it is called as that one, and the moved row
 * otherwise. If both are called the same, it is if this job has kept it when it compared the databases of the home, and
 * an earlier one has moved the run.
 */
function isOfNewRecord(
  session: JobSession,
  version: Version,
  moved: { rowId: bigint | null; row: string },
): boolean {
  const { sources, records, context } = session;
  const record = records.find(({ table }) => table === version.table_name);
  if (record === undefined || version.row_id === null || moved.rowId === null) return false;
  const here = nameIn(record, version.columns, version.row);
  const there = nameIn(record, version.columns, moved.row);
  if (here === undefined || there === undefined) return false;
  const { row_id: id } = version;
  if (!sources.some((part) => namesAt(session, part, record, id).includes(here))) return false;
  const ofMoved = namesAt(session, "completed", record, moved.rowId);
  if (ofMoved.length > 0 && !ofMoved.includes(there)) return true;
  // A test that is only kept, and is called as before: the other one is called otherwise.
  if (record.table === "tests" && ofMoved.length === 0 && here === there) return true;
  return version.job_id === context.jobId && !isMovedBy(session, record, version.columns, moved);
}

/** Returns true if a job has moved the run that a row is of. */
function isMovedBy(
  { db, context }: JobSession,
  { parent }: RecordPlan,
  columns: string,
  { rowId, row }: { rowId: bigint | null; row: string },
): boolean {
  const owner = parent === null ? String(rowId) : splitLiterals(row)[namesOf(columns)?.indexOf(parent) ?? -1];
  if (owner === undefined || !isIdText(owner)) return false;
  const run =
    parent === "test_id" ? "(SELECT t.run_id FROM completed.tests AS t WHERE t.id = :owner)" : ":owner";
  return (
    prepared<{ owner: bigint; job: string }, number>(
      db,
      `SELECT EXISTS (SELECT 1 FROM completed.mtjobs_runs WHERE run_id = ${run} AND job_id = :job)`,
    )
      .pluck()
      .get({ owner: BigInt(owner), job: context.jobId }) === 1
  );
}
