import { JobsError } from "../shared/errors.ts";
import type { JobContext } from "../shared/job-context.ts";
import type { JobName, ReducePayload } from "../shared/queue/payload.ts";
import type { MoveResult } from "../shared/result.ts";

/** Placeholder until the engine stands. */
export async function runJob(
  name: JobName,
  _payload: ReducePayload,
  _context: JobContext,
): Promise<MoveResult> {
  throw new JobsError("internal", `${name} is not built yet`);
}
