import { prepared } from "../../shared/sqlite/connection.ts";
import type { AreaSession, Kept } from "./area-session.ts";

/** Commits the losing versions alone, before their rows are overwritten. */
export async function commitSuperseded(session: AreaSession): Promise<void> {
  session.countKept(await session.commit("completed", () => recordSuperseded(session, Date.now())));
}

/**
 * Writes `temp.superseded` into `mtjobs_superseded`, each version once; returns how many. The caller counts them after
 * the commit, which is repeated with all before it if it meets a reader.
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
