import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { RestorePayload } from "../../shared/contract/payload.ts";
import type { JobContext } from "../area-db/job-context.ts";
import { openAreaForJob } from "../area-db/open-area.ts";
import { compact } from "./compact.ts";
import { rehearseRestore } from "./dry-run.ts";
import { restoreRuns } from "./restore-runs.ts";
import { checkIds, reconcile, recover, runOnArea } from "./run-on-area.ts";
import { chooseMovedRuns } from "./select/choose-moved-runs.ts";
import { assertInWindow } from "./session/time-budget.ts";

/**
 * Moves the runs that `payload` selects from completed-runs.db back to the area's databases.
 *
 * @throws JobsError with what stopped the job; what was restored until then stays restored
 */
export async function restore(payload: RestorePayload, context: JobContext): Promise<MoveResult> {
  assertInWindow(payload);
  const opened = await openAreaForJob(payload, context);
  if (payload.dryRun) return await rehearseRestore(opened, payload);
  return await runOnArea("restore", opened, payload, async (session) => {
    await reconcile(session);
    await recover(session, payload);
    const runs = await chooseMovedRuns(session, payload);
    await restoreRuns(session, runs, payload);
    await checkIds(session);
    await compact(session, payload.compact, [...session.sources, "completed"]);
  });
}
