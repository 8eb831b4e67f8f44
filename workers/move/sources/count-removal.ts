import { setRepairFlag } from "../ids/repair-flag.ts";
import type { JobSession } from "../session/job-session.ts";
import type { RemovalReport } from "./remove-runs.ts";

/** Counts a removal's findings. If ids were reused, it notes that they must be repaired before the job ends. */
export async function countRemoval(
  move: JobSession,
  {
    superseded,
    unsynced,
    late,
    strangers,
  }: Pick<RemovalReport, "superseded" | "unsynced" | "late" | "strangers">,
): Promise<void> {
  const { tally } = move;
  tally.superseded += superseded;
  tally.unsynced += unsynced;
  tally.late += late;
  if (strangers.length === 0) return;
  await move.read(() => setRepairFlag(move));
  for (const run of new Set(strangers))
    tally.warn(`Megatest reused an id of run ${run} or of its rows: the moved row gets a new one`);
}
