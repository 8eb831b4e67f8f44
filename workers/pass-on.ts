import type { Job, Queue } from "bullmq";
import { openQueue } from "../shared/queue/connections.ts";
import { enqueueOptions } from "../shared/queue/enqueue-options.ts";
import type { Forwarded } from "../shared/queue/forwarded.ts";
import { newJobId } from "../shared/queue/names.ts";
import type { JobName, JobPayload } from "../shared/queue/payload.ts";
import type { JobHost } from "./job-host.ts";

/**
 * A schedule's turn adds the job proper. So turns that come while a job waits (its area is held, its window shut) do not
 * pile up: the same work asked for twice is one job. A turn that is taken up again after its worker died finds that job
 * too, or adds another where it has ended.
 */
export async function passOn(
  job: Job,
  payload: JobPayload,
  { redis, settings }: Pick<JobHost, "redis" | "settings">,
): Promise<Forwarded> {
  const queue: Queue = openQueue(redis, settings, settings.host);
  try {
    const name = job.name as JobName;
    const wanted = newJobId(name);
    const added = await queue.add(name, payload, enqueueOptions(name, payload, wanted));
    return { forwarded: { host: settings.host, jobId: added.id ?? wanted } };
  } finally {
    await queue.close();
  }
}
