import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { PurgePayload } from "../../shared/contract/payload.ts";
import type { JobContext } from "../area-db/job-context.ts";
import { openAreaForJob } from "../area-db/open-area.ts";
import { compact } from "../move/compact.ts";
import { rehearse } from "../move/dry-run.ts";
import { checkIds, reconcile, recover, runOnArea } from "../move/run-on-area.ts";
import { assertInWindow } from "../move/session/time-budget.ts";
import { assertExportDirectory, trustOf } from "./exports-place.ts";
import { choosePurgedRuns, purgeRuns, rehearsePurge } from "./purge-runs.ts";

/**
 * Removes the runs that `payload` selects from completed-runs.db for good, each after its export was read back.
 *
 * @throws JobsError with what stopped the job; what was purged until then stays purged, and is exported
 */
export async function purge(payload: PurgePayload, context: JobContext): Promise<MoveResult> {
  assertInWindow(payload);
  const opened = await openAreaForJob(payload, context);
  const directory =
    payload.export === false ? undefined : assertExportDirectory(payload.export, trustOf(opened));
  if (payload.dryRun) {
    return await rehearse(opened, payload, "purge", (session) => rehearsePurge(session, payload));
  }
  return await runOnArea("purge", opened, payload, async (session, areaId) => {
    await reconcile(session);
    await recover(session, payload);
    const runs = await choosePurgedRuns(session, payload);
    await purgeRuns(session, runs, { areaId, directory });
    await checkIds(session);
    await compact(session, payload.compact, ["completed"]);
  });
}
