import type { Job, Queue } from "bullmq";
import { openQueue } from "../shared/queue/connections.ts";
import { enqueueOptions } from "../shared/queue/enqueue-options.ts";
import type { Forwarded } from "../shared/queue/forwarded.ts";
import { newJobId } from "../shared/queue/names.ts";
import type { JobName, JobPayload } from "../shared/queue/payload.ts";
import type { JobHost } from "./job-host.ts";

/**
 * Enqueues the job of a schedule's turn. Turns that come while a job waits (area held, window closed) do not pile up:
 * equal work is one job. A turn repeated after its worker died finds that job, or adds another if it has ended.
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
