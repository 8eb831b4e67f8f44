import type { Run } from "../../area-db/run.ts";
import type { JobSession } from "../session/job-session.ts";
import { discardCopies } from "./discard-copies.ts";
import { deleteSuperseded } from "./superseded-of-runs.ts";

/**
 * Deletes runs in state `purging` from completed-runs.db, with the versions kept of their rows.
 *
 * @param superseded ids in `mtjobs_superseded` by run
 */
export async function deletePurged(
  session: JobSession,
  runs: readonly Run[],
  superseded: ReadonlyMap<bigint, readonly bigint[]>,
): Promise<void> {
  for (const { id } of runs) {
    // First: once the rows are gone, nothing tells whose versions they were.
    await deleteSuperseded(session, superseded.get(id) ?? []);
    await discardCopies(session, [id]);
    session.context.failpoint("purged");
  }
}
