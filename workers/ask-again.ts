import { openQueue } from "../shared/queue/connections.ts";
import { enqueueOptions } from "../shared/queue/enqueue-options.ts";
import { parsePayload } from "../shared/queue/payload.ts";
import type { JobHost } from "./job-host.ts";
import type { Coordinated } from "./migrate/round.ts";

/**
 * Enqueues a migration's job that Redis has lost, under its old id, so that it continues from its row in megatest.db.
 * Otherwise the migration would wait until the lease expires, and then only be undone.
 */
export async function askAgain(host: JobHost, migrations: readonly Coordinated[]): Promise<void> {
  const { redis, settings, log } = host;
  if (migrations.length === 0) return;
  const queue = openQueue(redis, settings, settings.host);
  try {
    for (const { area, jobId, requestedBy } of migrations) {
      if ((await queue.getJobState(jobId)) !== "unknown") continue;
      const payload = parsePayload("migrate", { v: 1, area, to: settings.host, requestedBy });
      await queue.add("migrate", payload, enqueueOptions("migrate", payload, jobId));
      log.info({ area, jobId }, "enqueued a migration again that was missing from the queue");
    }
  } finally {
    await queue.close();
  }
}
