import { type IdentifiedTable, identifiedTables } from "../../../shared/area-db/record-tables.ts";
import { prepared } from "../../../shared/sqlite/connection.ts";
import { isIdText } from "../../../shared/sqlite/run-id.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import type { JobSession } from "../session/job-session.ts";
import { type KeptVersion, namesOf, type Renumbered, splitLiterals, underNewIds } from "./kept-version.ts";
import { nameIn, namesAt } from "./name-of-version.ts";

/** Versions read in one statement. */
const chunk = 1_000;

/** New ids by old ones. */
export type NewIds = Record<IdentifiedTable, ReadonlyMap<bigint, bigint>>;

interface Version extends KeptVersion {
  job_id: string;
}

/** What a version becomes. */
interface NewVersion extends Renumbered {
  id: bigint;
}

/**
 * Returns what the versions kept of moved rows become under the ids that these get: under the old ones they would pass
 * for versions of the records that have these by now, and leave with them in a purge. Call before the transaction that
 * gives the rows their new ids: what is read of a source in it would lock that until its end.
 */
export async function versionsUnder(session: JobSession, newIds: NewIds): Promise<NewVersion[]> {
  if (identifiedTables.every((table) => newIds[table].size === 0)) return [];
  const read = () =>
    prepared<[bigint, bigint], Version>(
      session.db,
      `SELECT id, table_name, row_id, columns, row, carried, job_id FROM completed.mtjobs_superseded
       WHERE id BETWEEN ? AND ? ORDER BY id`,
    ).safeIntegers();
  const found: NewVersion[] = [];
  for await (const range of session.idRanges("completed.mtjobs_superseded", chunk)) {
    for (const version of await session.read(() => read().all(...range))) {
      const { rowId, row, carried } = underNewIds(version, (table, old) => newIds[table].get(old) ?? old);
      if (rowId === version.row_id && row === version.row && carried === version.carried) continue;
      if (await session.read(() => isOfNewRecord(session, version, row))) continue;
      found.push({ id: version.id, rowId, row, carried });
    }
  }
  return found;
}

/** Writes them; call in that transaction. */
export function writeVersions({ db }: JobSession, versions: readonly NewVersion[]): void {
  const write = prepared<[bigint | null, string, string, bigint]>(
    db,
    "UPDATE completed.mtjobs_superseded SET row_id = ?, row = ?, carried = ? WHERE id = ?",
  );
  for (const { id, rowId, row, carried } of versions) write.run(rowId, row, carried, id);
}

/**
 * Returns true if a version is of the record that has the old ids by now: it is called as that one, and the moved row
 * otherwise. If both are called the same, it is if this job has kept it when it compared the databases of the home, and
 * an earlier one has moved the run.
 */
function isOfNewRecord(session: JobSession, version: Version, newRow: string): boolean {
  const { sources, records, context } = session;
  const { row_id: id, columns } = version;
  const record = records.find(({ table }) => table === version.table_name);
  if (record === undefined || id === null) return false;
  const name = nameIn(record, columns, version.row);
  if (name === undefined) return false;
  if (!sources.some((part) => namesAt(session, part, record, id).includes(name))) return false;
  const ofMoved = namesAt(session, "completed", record, id);
  if (ofMoved.length > 0 && !ofMoved.includes(name)) return true;
  // A test that is only kept, and is called as before: the other one is called otherwise.
  if (record.table === "tests" && ofMoved.length === 0 && name === nameIn(record, columns, newRow))
    return true;
  return version.job_id === context.jobId && !isMovedBy(session, record, version);
}

/** Returns true if a job has moved the run that a row is of. */
function isMovedBy(
  { db, context }: JobSession,
  { parent }: RecordPlan,
  { row_id: rowId, row, columns }: Version,
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
