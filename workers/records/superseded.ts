import { prepared, quoteText } from "../../shared/sqlite/connection.ts";
import type { AreaSession, Kept } from "./area-session.ts";
import { rowLiteral } from "./row-sql.ts";

/** Commits the losing versions alone, before their rows are overwritten. */
export async function commitSuperseded(session: AreaSession): Promise<void> {
  session.countKept(await session.commit("completed", () => recordSuperseded(session, Date.now())));
}

/**
 * Writes `temp.superseded` into `mtjobs_superseded`, each version once; returns how many are new. The caller counts
 * them after the commit, which is repeated with all before it if it meets a reader.
 */
export function recordSuperseded({ db, context }: AreaSession, now: number): Kept {
  const record = (unsynced: 0 | 1) =>
    prepared(
      db,
      `INSERT INTO completed.mtjobs_superseded (table_name, row_id, source, reason, job_id, at, columns, row, carried)
       SELECT l.table_name, l.row_id, l.source, l.reason, ?, ?, l.columns, l.row, l.carried FROM temp.superseded AS l
       WHERE l.unsynced = ? AND NOT EXISTS (SELECT 1 FROM completed.mtjobs_superseded AS p WHERE p.table_name = l.table_name
         AND p.row_id = l.row_id AND p.row = l.row)`,
    ).run(context.jobId, now, unsynced).changes;
  return { conflicts: record(0), unsynced: record(1) };
}

/**
 * Gives the versions of `temp.superseded` that an earlier job kept to this one. Where clients write, a removal knows
 * only the versions that its own job found there.
 */
export function adoptSuperseded({ db, context }: AreaSession, now: number): void {
  prepared(
    db,
    `UPDATE completed.mtjobs_superseded AS p SET source = l.source, reason = l.reason, job_id = ?, at = ?
     FROM temp.superseded AS l WHERE p.table_name = l.table_name AND p.row_id = l.row_id AND p.row = l.row
       AND (p.source <> l.source OR p.job_id <> ?)`,
  ).run(context.jobId, now, context.jobId);
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
