import type { Move } from "./move.ts";
import type { RemovalReport } from "./remover.ts";
import { noteRepair } from "./repair-note.ts";
import { outwaitBusy } from "./transaction.ts";

/** Counts what a removal found. Where ids of ours mean other records now, they are to be mended before the job ends. */
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
    tally.warn(
      `an id of run ${run} or of its rows was given to another record meanwhile: ours takes a new one`,
    );
}
