import type { JobContext } from "../../shared/job-context.ts";
import type { ReducePayload } from "../../shared/queue/payload.ts";
import type { MoveResult } from "../../shared/result.ts";
import { workOnArea } from "./area-job.ts";
import { chooseRuns } from "./choose.ts";
import { rehearseReduce } from "./dry-run.ts";
import { guardsHold, isGuarded, raiseGuards } from "./id-guards.ts";
import type { Move } from "./move.ts";
import { RunMover } from "./move-runs.ts";
import type { Site } from "./site.ts";
import { lookAgain, movedBy } from "./sweep.ts";
import { outwaitBusy } from "./transaction.ts";

/**
 * Moves the runs that `payload` selects from the area's databases to completed-runs.db.
 *
 * @throws JobsError with what stopped the job; what was moved until then stays moved
 */
export function reduce(payload: ReducePayload, context: JobContext): Promise<MoveResult> {
  return workOnArea(payload, context, {
    job: "reduce",
    compacted: ({ sources }) => sources,
    rehearse: (place, tally, started) => rehearseReduce(place, payload, context, tally, started),
    perform: (site) => moveOut(site, payload),
  });
}

async function moveOut({ move, sweeper, syncPass }: Site, payload: ReducePayload): Promise<void> {
  const { context } = move;
  const { line, beforeCommit } = sweeper;
  const runs = await chooseRuns(move, payload, move.now);
  context.log(`Runs to look at closely: ${runs.length}.`);
  await guardNewest(move, runs, beforeCommit);
  const since = await line.versions();
  await new RunMover(move, line, { runs, payload, beforeCommit }).run();
  context.failpoint("moved");
  await lookAgain(move, sweeper, movedBy(move), { rest: syncPass, since });
  context.failpoint("looked-again");
}

/** Once for all runs that are newer than the guards; otherwise each batch of them would raise them again. */
async function guardNewest(move: Move, runs: readonly number[], beforeCommit: () => void): Promise<void> {
  const { signal } = move.context;
  const newest = runs.at(-1);
  if (newest === undefined) return;
  const guarded = await outwaitBusy(signal, () => guardsHold(move) && isGuarded(move, newest));
  if (guarded) return;
  await outwaitBusy(signal, () => raiseGuards(move, beforeCommit));
  move.context.failpoint("guarded");
}
