import type { JobContext } from "../../shared/job-context.ts";
import type { ReducePayload } from "../../shared/queue/payload.ts";
import type { MoveResult } from "../../shared/result.ts";
import { checkIds, reconcile, recover, runOnArea } from "./area-job.ts";
import { chooseRuns } from "./choose.ts";
import { compact } from "./compact.ts";
import { rehearseReduce } from "./dry-run.ts";
import { moveRuns } from "./move-runs.ts";
import { openPlace } from "./prepare.ts";
import { checkAgain } from "./sweep.ts";
import { assertInWindow } from "./time-budget.ts";

/**
 * Moves the runs that `payload` selects from the area's databases to completed-runs.db.
 *
 * @throws JobsError with what stopped the job; what was moved until then stays moved
 */
export async function reduce(payload: ReducePayload, context: JobContext): Promise<MoveResult> {
  assertInWindow(payload);
  const opened = await openPlace(payload, context);
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
