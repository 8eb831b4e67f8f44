import { JobsError } from "../errors.ts";
import type { Connection, Part } from "../sqlite/connection.ts";
import { largestId, preparedIds, smallestId } from "../sqlite/ids.ts";
import { highestId, lowestId, shownId } from "../sqlite/run-id.ts";
import { columnNames, hasColumn } from "../sqlite/table.ts";
import { type IdentifiedTable, identifiedTables, recordShapes, unsyncedTables } from "./record-tables.ts";

/** Ids to keep free at an end of a table, for guards, new rows and a gap. */
const room = 2n ** 40n;

/**
 * Checks for free ids. SQLite assigns random ids once 2^63 - 1 is used: no guard or gap could be above it.
 *
 * @param file the file attached as `part`
 * @throws JobsError `ids-used-up`
 */
export function assertRoomIn(db: Connection, part: Part, file: string): void {
  for (const table of identifiedTables) {
    const id = endOf(db, part, table, "largest");
    if (id > highestId - room) throw usedUp(file, table, id, part === "completed" ? moved : everywhere);
  }
  // Their ids are local: new ones are taken at either end.
  for (const table of unsyncedTables) {
    const id = endOf(db, part, table, "largest");
    if (id > highestId - room && endOf(db, part, table, "smallest") < lowestId + room)
      throw usedUp(file, table, id, alone);
  }
}

function endOf(db: Connection, part: Part, table: string, end: "largest" | "smallest"): bigint {
  if (!hasColumn(db, part, table, "id")) return 0n;
  const name = `${part}.${table}`;
  return (end === "largest" ? largestId(db, name) : smallestId(db, name)) ?? 0n;
}

/**
 * Returns the largest id of a table's rows that rows of `part` refer to, 0 if there is none. Megatest leaves steps and
 * data of removed tests behind: a row that gets a new id must not come by them. Scans tables without an index.
 */
export function largestReference(db: Connection, part: Part, table: IdentifiedTable): bigint {
  const parent = { runs: "run_id", tests: "test_id", test_steps: undefined, test_data: undefined }[table];
  const found = recordShapes
    .filter((shape) => parent !== undefined && shape.parent === parent)
    .filter((shape) => columnNames(db, part, shape.table).includes(parent ?? ""))
    .map(
      (shape) =>
        // Numbers sort below text, and no new id comes near the end.
        preparedIds<[bigint], bigint | null>(
          db,
          `SELECT CAST(max(${parent}) AS INTEGER) FROM ${part}.${shape.table} WHERE ${parent} <= ?`,
        ).get(highestId - room) ?? 0n,
    );
  return found.reduce((most, id) => (id > most ? id : most), 0n);
}

/**
 * Returns the largest id of a table's rows of which completed-runs.db keeps versions, 0 if there is none. One near the
 * end does not count: no guard could stand above it.
 */
export function largestKept(db: Connection, table: IdentifiedTable): bigint {
  return (
    preparedIds<[string, bigint], bigint | null>(
      db,
      "SELECT max(row_id) FROM completed.mtjobs_superseded WHERE table_name = ? AND row_id <= ?",
    ).get(table, highestId - room) ?? 0n
  );
}

/**
 * Returns the id `more` + 1 above `id`.
 *
 * @throws JobsError `ids-used-up` if rows were added since `assertRoomIn`
 */
export function idAbove(table: IdentifiedTable, id: bigint, more = 0n): bigint {
  const next = id + more + 1n;
  if (next > highestId) throw usedUp("the area", table, id, anywhere);
  return next;
}

const everywhere =
  "while Megatest is stopped, give that row a lower id in megatest.db, the cache and its ref, and update what refers to it; then run the job again";
const moved =
  "while no job runs, give that row in completed-runs.db a lower id that is unused in all databases of the area, and update what refers to it there (for a run also mtjobs_runs); then run the job again";
const alone =
  "while Megatest is stopped and no job runs, give that row a free id nearer to 0 in that file, to which nothing refers; then run the job again";
const anywhere =
  "while Megatest is stopped and no job runs, give that row a lower id in each database of the area that has it, and update what refers to it; then run the job again";

function usedUp(file: string, table: string, id: bigint, hint: string): JobsError {
  return new JobsError(
    "ids-used-up",
    `table ${table} of ${file} has a row with id ${id}: there are no free ids above it`,
    { hint, details: { file, table, id: shownId(id) } },
  );
}
