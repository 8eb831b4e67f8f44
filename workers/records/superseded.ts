import { type Connection, prepared, quoteText } from "../../shared/sqlite/connection.ts";
import { largestId } from "../../shared/sqlite/ids.ts";
import type { AreaSession, Kept } from "./area-session.ts";
import { rowLiteral } from "./row-sql.ts";

/** Commits the losing versions alone, before their rows are overwritten. */
export async function commitSuperseded(session: AreaSession): Promise<void> {
  session.countKept(await session.commit("completed", () => recordSuperseded(session, Date.now())));
}

/** SQL: the version `l` of `temp.superseded` is kept already, as `p`. */
const isKept =
  "p.table_name = l.table_name AND p.row_id = l.row_id AND p.row = l.row AND p.columns = l.columns";

/**
 * Writes those of `temp.superseded` that are not there yet into `mtjobs_superseded`; returns how many. The caller counts
 * them after the commit, which is repeated with all before it if it meets a reader.
 */
function recordSuperseded(session: AreaSession, now: number): Kept {
  const kept = countNew(session);
  insertVersions(session, now, `NOT EXISTS (SELECT 1 FROM completed.mtjobs_superseded AS p WHERE ${isKept})`);
  return kept;
}

/**
 * Does the same, and gives versions that were kept before a new id: where clients write, a removal knows only the
 * versions that the copy of its runs left out, by ids above `lastKept` before that copy.
 */
export function renewSuperseded(session: AreaSession, now: number): Kept {
  const { db } = session;
  const kept = countNew(session);
  const before = lastKept(db);
  insertVersions(session, now, "1");
  prepared<[bigint]>(
    db,
    // By the index on the row: there may be very many versions.
    `DELETE FROM completed.mtjobs_superseded WHERE id IN (SELECT p.id FROM temp.superseded AS l
       CROSS JOIN completed.mtjobs_superseded AS p ON ${isKept} WHERE p.id <= ?)`,
  ).run(before);
  return kept;
}

/** Returns the highest id in `mtjobs_superseded`. */
export function lastKept(db: Connection): bigint {
  return largestId(db, "completed.mtjobs_superseded") ?? 0n;
}

function countNew({ db }: AreaSession): Kept {
  const count = (unsynced: 0 | 1) =>
    prepared<[number], number>(
      db,
      `SELECT count(*) FROM temp.superseded AS l
       WHERE l.unsynced = ? AND NOT EXISTS (SELECT 1 FROM completed.mtjobs_superseded AS p WHERE ${isKept})`,
    )
      .pluck()
      .get(unsynced) ?? 0;
  return { conflicts: count(0), unsynced: count(1) };
}

function insertVersions({ db, context }: AreaSession, now: number, which: string): void {
  prepared(
    db,
    `INSERT INTO completed.mtjobs_superseded (table_name, row_id, source, reason, job_id, at, columns, row, carried)
     SELECT l.table_name, l.row_id, l.source, l.reason, ?, ?, l.columns, l.row, l.carried FROM temp.superseded AS l
     WHERE ${which}`,
  ).run(context.jobId, now);
}

/**
 * Adds to `temp.superseded` the rows of megatest.db that belong to tests which are about to be replaced there; returns
 * how many were new.
 *
 * @param tests a SELECT of the ids of tests
 */
export function collectChildren(
  { db, records }: Pick<AreaSession, "db" | "records">,
  tests: string,
  reason: string,
): number {
  let total = 0;
  for (const record of records.filter(({ parent }) => parent === "test_id")) {
    const columns = record.columnsIn("area");
    if (columns.length === 0) continue;
    const row = rowLiteral("x", columns);
    total += db
      .prepare(
        `INSERT INTO temp.superseded (table_name, row_id, source, reason, columns, row, carried)
         SELECT ${quoteText(record.table)}, x.id, 'area', ?, ?, ${row}, ${rowLiteral("x", record.carried("area", "completed"))}
         FROM area.${record.table} AS x WHERE x.test_id IN (${tests}) AND NOT EXISTS (SELECT 1 FROM temp.superseded AS l
           WHERE l.table_name = ${quoteText(record.table)} AND l.row_id = x.id AND l.row = ${row})`,
      )
      .run(reason, JSON.stringify(columns)).changes;
  }
  return total;
}
