import type { MoveResult } from "../shared/contract/move-result.ts";
import {
  type MoveName,
  type MovePayload,
  parsePayload,
  type ReducePayload,
} from "../shared/contract/payload.ts";
import { newJobId } from "../shared/queue/names.ts";
import type { Settings } from "../shared/settings/settings.ts";
import { JobThreads, type ThreadOptions } from "./job-thread/job-threads.ts";
import type { ThreadData, ThreadJobName, ThreadJobs } from "./job-thread/protocol.ts";

/**
 * `--inline`: runs the job from this process without Redis, in the same kind of thread as a worker's. The lease in
 * the area's databases excludes workers. Rejects with a JobsError.
 */
export async function runInline(
  name: MoveName,
  payload: MovePayload,
  settings: Settings,
  options: ThreadOptions = {},
): Promise<MoveResult> {
  return await runAlone(
    { name, payload: parsePayload(name, payload), jobId: newJobId(name), settings },
    options,
  );
}

/** `doctor --repair`: finishes or undoes what dead jobs left. Rejects with a JobsError. */
export async function runRepair(
  request: Pick<ReducePayload, "area" | "requestedBy">,
  settings: Settings,
  options: ThreadOptions = {},
): Promise<MoveResult> {
  const payload: ReducePayload = {
    ...request,
    v: 1,
    dryRun: false,
    includeLocked: false,
    compact: "never",
  };
  return await runAlone({ name: "repair", payload, jobId: newJobId("repair"), settings }, options);
}

async function runAlone<Name extends ThreadJobName>(
  data: ThreadData<Name>,
  options: ThreadOptions,
): Promise<ThreadJobs[Name]["result"]> {
  const threads = new JobThreads();
  try {
    return await threads.run({ ...data, inline: true }, options);
  } finally {
    threads.close();
  }
}
