import { JobsError } from "../../../shared/errors.ts";
import { type Connection, prepared } from "../../../shared/sqlite/connection.ts";
import { idList, preparedIds } from "../../../shared/sqlite/ids.ts";
import type { Source } from "../../area-db/databases.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { isUnfinished } from "../../records/test-states.ts";
import { type Known, runsOfReusedIds } from "../ids/reused-ids.ts";
import type { Slice } from "../slices/slices.ts";

// Checks under the lock before a slice's rows are deleted.

export type Mismatches = ReadonlyMap<RecordPlan, readonly bigint[]>;

/** Aborts the transaction, with the rows in the way. */
export class Blocked extends Error {
  readonly mismatches: Mismatches;
  readonly runs: readonly bigint[];
  readonly alive: boolean;

  constructor(mismatches: Mismatches, runs: readonly bigint[], alive: boolean) {
    super("rows differ from their copies");
    this.mismatches = mismatches;
    this.runs = runs;
    this.alive = alive;
  }
}

/** Throws `Blocked` if rows differ. */
export function refuseMismatches(db: Connection, part: Source, found: Mismatches, slice: Slice): void {
  if (found.size === 0) return;
  throw new Blocked(found, runsOf(db, part, found, slice), isAnyAlive(db, part, found));
}

/** Adds tests that came since the slice was cut, and finds its reused ids. Call under the lock. */
export function checkSlice(
  db: Connection,
  part: Source,
  records: readonly RecordPlan[],
  slice: Slice,
): Known {
  if (slice.range === undefined) {
    db.exec(
      `INSERT OR IGNORE INTO temp.slice_tests
       SELECT x.id FROM temp.slice_runs AS s CROSS JOIN ${part}.tests AS x ON x.run_id = s.id`,
    );
  }
  const runs = records.find(({ table }) => table === "runs");
  const tests = preparedIds<[string]>(
    db,
    `SELECT x.id FROM temp.slice_tests AS s CROSS JOIN ${part}.tests AS x ON x.id = s.id
     WHERE x.run_id NOT IN (SELECT value FROM json_each(?))`,
  ).all(idList(slice.runs));
  return { runs: runs === undefined ? [] : runsOfReusedIds(db, part, runs, slice.runs), tests };
}

/** Returns the runs of the slice that rows belong to; all of them if that is unknown. */
function runsOf(db: Connection, part: Source, mismatches: Mismatches, slice: Slice): readonly bigint[] {
  const runs = new Set<bigint>();
  for (const [{ table, parent }, ids] of mismatches) {
    const owner =
      parent === null
        ? "x.id"
        : parent === "run_id"
          ? "x.run_id"
          : `coalesce((SELECT t.run_id FROM ${part}.tests AS t WHERE t.id = x.test_id),
              (SELECT t.run_id FROM completed.tests AS t WHERE t.id = x.test_id))`;
    const found = preparedIds<[string]>(
      db,
      `SELECT DISTINCT ${owner} FROM ${part}.${table} AS x WHERE x.id IN (SELECT value FROM json_each(?))`,
    ).all(idList(ids));
    for (const run of found) runs.add(run);
  }
  const ours = slice.runs.filter((run) => runs.has(run));
  return ours.length > 0 ? ours : slice.runs;
}

/** Returns true if a test among the rows may still report. */
function isAnyAlive(db: Connection, part: Source, mismatches: Mismatches): boolean {
  return [...mismatches].some(
    ([{ table }, ids]) =>
      table === "tests" &&
      prepared<[string], number>(
        db,
        `SELECT EXISTS (SELECT 1 FROM ${part}.tests AS t
           WHERE t.id IN (SELECT value FROM json_each(?)) AND ${isUnfinished(`${part}.tests`)})`,
      )
        .pluck()
        .get(idList(ids)) === 1,
  );
}

/** Throws unless each run's copy is complete and counts: the last check before rows leave a source. */
export function assertCopied(db: Connection, runs: readonly bigint[]): void {
  const missing = preparedIds<[string]>(
    db,
    `SELECT value FROM json_each(?) WHERE value NOT IN
         (SELECT run_id FROM completed.mtjobs_runs WHERE state IN ('removing', 'moved', 'restoring'))`,
  ).all(idList(runs));
  if (missing.length > 0) {
    throw new JobsError(
      "internal",
      `runs ${missing.join(", ")} have no complete copy; none of their rows were removed`,
    );
  }
}
