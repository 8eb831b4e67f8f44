import type { JobContext } from "../../shared/job-context.ts";
import type { RestorePayload } from "../../shared/queue/payload.ts";
import type { MoveResult } from "../../shared/result.ts";
import { workOnArea } from "./area-job.ts";
import { chooseMovedRuns } from "./choose-moved.ts";
import { rehearseRestore } from "./dry-run.ts";
import { restoreRuns } from "./restore-runs.ts";

/**
 * Moves the runs that `payload` selects from completed-runs.db back to the area's databases.
 *
 * @throws JobsError with what stopped the job; what was restored before stays restored
 */
export function restore(payload: RestorePayload, context: JobContext): Promise<MoveResult> {
  return workOnArea(payload, context, {
    job: "restore",
    compacted: ({ sources }) => [...sources, "completed"],
    rehearse: (place, tally, started) => rehearseRestore(place, payload, context, tally, started),
    perform: async (site) => {
      const runs = await chooseMovedRuns(site.move, payload);
      context.log(`Runs to restore: ${runs.length}.`);
      await restoreRuns(site, runs, payload);
    },
  });
}
