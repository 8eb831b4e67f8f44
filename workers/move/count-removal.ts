import type { Move } from "./move.ts";
import type { RemovalReport } from "./remover.ts";
import { noteRepair } from "./repair-note.ts";
import { outwaitBusy } from "./transaction.ts";

/** Counts a removal's findings. If ids were reused, it notes that they must be repaired before the job ends. */
export async function countRemoval(
  move: Move,
  {
    superseded,
    unsynced,
    late,
    strangers,
  }: Pick<RemovalReport, "superseded" | "unsynced" | "late" | "strangers">,
): Promise<void> {
  const { context, tally } = move;
  tally.superseded += superseded;
  tally.unsynced += unsynced;
  tally.late += late;
  if (strangers.length === 0) return;
  await outwaitBusy(context.signal, () => noteRepair(move));
  for (const run of new Set(strangers))
    tally.warn(`Megatest reused an id of run ${run} or of its rows: the moved row gets a new one`);
}
