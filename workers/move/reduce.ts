import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { ReducePayload } from "../../shared/contract/payload.ts";
import type { JobContext } from "../area-db/job-context.ts";
import { openAreaForJob } from "../area-db/open-area.ts";
import { checkAgain } from "./collect-late-rows.ts";
import { compact } from "./compact.ts";
import { rehearseReduce } from "./dry-run.ts";
import { moveRuns } from "./move-runs.ts";
import { checkIds, reconcile, recover, runOnArea } from "./run-on-area.ts";
import { chooseRuns } from "./select/choose-runs.ts";
import { assertInWindow } from "./session/time-budget.ts";

/**
 * Moves the runs that `payload` selects from the area's databases to completed-runs.db.
 *
 * @throws JobsError with what stopped the job; what was moved until then stays moved
 */
export async function reduce(payload: ReducePayload, context: JobContext): Promise<MoveResult> {
  assertInWindow(payload);
  const opened = await openAreaForJob(payload, context);
  if (payload.dryRun) return await rehearseReduce(opened, payload);
  return await runOnArea("reduce", opened, payload, async (session) => {
    await reconcile(session);
    await recover(session, payload);
    const runs = await chooseRuns(session, payload);
    const versions = await moveRuns(session, runs, payload);
    await checkAgain(session, versions);
    context.failpoint("looked-again");
    await checkIds(session);
    await compact(session, payload.compact, session.sources);
  });
}
