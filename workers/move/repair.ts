import type { JobContext } from "../../shared/job-context.ts";
import type { ReducePayload } from "../../shared/queue/payload.ts";
import type { MoveResult } from "../../shared/result.ts";
import { workOnArea } from "./area-job.ts";
import { rehearseReduce } from "./dry-run.ts";
import { lookAgain, movedBy } from "./sweep.ts";

/**
 * Does what every job does first: finishes or undoes what a dead job left, repairs ids, merges late rows. Chooses no
 * run. The result reports what a dead job had half moved.
 *
 * @throws JobsError as `reduce`
 */
export function repair(payload: ReducePayload, context: JobContext): Promise<MoveResult> {
  return workOnArea(payload, context, {
    job: "repair",
    compacted: () => [],
    rehearse: (place, tally, started) => rehearseReduce(place, payload, context, tally, started),
    perform: async ({ move, sweeper, syncPass }) =>
      lookAgain(move, sweeper, await movedBy(move), { rest: syncPass, since: new Map() }),
  });
}
