import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { ReducePayload } from "../../shared/contract/payload.ts";
import type { JobContext } from "../area-db/job-context.ts";
import { openAreaForJob } from "../area-db/open-area.ts";
import { checkAgain } from "./collect-late-rows.ts";
import { checkIds, reconcile, recover, runOnArea } from "./run-on-area.ts";

/**
 * What every job does first, and no more: finishes or undoes what an interrupted job left, repairs ids, collects late
 * rows. Chooses no run. The result has what an interrupted job had half moved.
 *
 * @throws JobsError as `reduce`
 */
export async function repair(payload: ReducePayload, context: JobContext): Promise<MoveResult> {
  const opened = await openAreaForJob(payload, context);
  return await runOnArea("repair", opened, payload, async (session) => {
    await reconcile(session);
    await recover(session, payload);
    await checkAgain(session, new Map());
    await checkIds(session);
  });
}
