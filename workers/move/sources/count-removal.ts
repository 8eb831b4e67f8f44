import { setRepairFlag } from "../ids/repair-flag.ts";
import type { JobSession } from "../session/job-session.ts";
import type { RemovalReport } from "./remove-runs.ts";

/** Counts a removal's findings. If ids were reused, it notes that they must be repaired before the job ends. */
export async function countRemoval(
  session: JobSession,
  {
    superseded,
    unsynced,
    late,
    reusedIds,
  }: Pick<RemovalReport, "superseded" | "unsynced" | "late" | "reusedIds">,
): Promise<void> {
  const { tally } = session;
  tally.superseded += superseded;
  tally.unsynced += unsynced;
  tally.late += late;
  if (reusedIds.length === 0) return;
  await session.read(() => setRepairFlag(session));
  for (const run of new Set(reusedIds))
    tally.warn(`Megatest reused an id of run ${run} or of its rows: the moved row gets a new one`);
}
