import type { JobContext } from "../../shared/job-context.ts";
import type { ReducePayload } from "../../shared/queue/payload.ts";
import type { MoveResult } from "../../shared/result.ts";
import { checkIds, reconcile, recover, runOnArea } from "./area-job.ts";
import { openPlace } from "./prepare.ts";
import { checkAgain } from "./sweep.ts";

/**
 * What every job does first, and no more: finishes or undoes what an interrupted job left, repairs ids, collects late
 * rows. Chooses no run. The result has what an interrupted job had half moved.
 *
 * @throws JobsError as `reduce`
 */
export async function repair(payload: ReducePayload, context: JobContext): Promise<MoveResult> {
  const opened = await openPlace(payload, context);
  return await runOnArea("repair", opened, payload, async (session) => {
    await reconcile(session);
    await recover(session, payload);
    await checkAgain(session, new Map());
    await checkIds(session);
  });
}
