import { JobsError } from "../../shared/errors.ts";
import type { JobContext } from "../../shared/job-context.ts";
import type { RestorePayload } from "../../shared/queue/payload.ts";
import type { MoveResult } from "../../shared/result.ts";

export async function restore(_payload: RestorePayload, _context: JobContext): Promise<MoveResult> {
  throw new JobsError("internal", "not built yet");
}
