import type { JobContext } from "../../shared/job-context.ts";
import type { ReducePayload } from "../../shared/queue/payload.ts";
import type { MoveResult } from "../../shared/result.ts";
import { workOnArea } from "./area-job.ts";
import { chooseRuns } from "./choose.ts";
import { rehearseReduce } from "./dry-run.ts";
import { guardNewest } from "./id-guards.ts";
import { RunMover } from "./move-runs.ts";
import type { Site } from "./site.ts";
import { lookAgain, movedBy } from "./sweep.ts";

/**
 * Moves the runs that `payload` selects from the area's databases to completed-runs.db.
 *
 * @throws JobsError with what stopped the job; what was moved before stays moved
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
  context.log(`Matching runs, to be checked for running tests: ${runs.length}.`);
  await guardNewest(move, runs, beforeCommit);
  // Without runs there is nothing to compare, and what an earlier attempt of this job moved is checked anyway.
  const since = runs.length === 0 ? new Map() : await line.versions();
  await new RunMover(move, line, { runs, payload, beforeCommit }).run();
  context.failpoint("moved");
  await lookAgain(move, sweeper, await movedBy(move), { rest: syncPass, since });
  context.failpoint("looked-again");
}
