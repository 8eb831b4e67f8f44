import { openQueue } from "../shared/queue/connections.ts";
import { enqueueOptions } from "../shared/queue/enqueue-options.ts";
import { parsePayload } from "../shared/queue/payload.ts";
import type { JobHost } from "./job-host.ts";
import type { Coordinated } from "./migrate/round.ts";

/**
 * Adds the job of a migration again that Redis has lost: under its old id, so that it goes on where the row in megatest.db
 * stands. Without it nobody would before the lease has run out, and then only to undo it.
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
      log.info({ area, jobId }, "the queue has lost a migration: it goes on");
    }
  } finally {
    await queue.close();
  }
}
