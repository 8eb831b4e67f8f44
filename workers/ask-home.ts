import { wantsArea } from "../shared/area/home-policy.ts";
import { openQueue } from "../shared/queue/connections.ts";
import { listDrained } from "../shared/queue/drained.ts";
import { enqueueOptions } from "../shared/queue/enqueue-options.ts";
import { findHost } from "../shared/queue/hosts.ts";
import { newJobId } from "../shared/queue/names.ts";
import { parsePayload } from "../shared/queue/payload.ts";
import type { JobHost } from "./job-host.ts";
import type { Wish } from "./migrate/wishes.ts";

/**
 * Enqueues a migration for each area whose policy prefers this host. It waits for a quiet area for `forMs` at most;
 * then the next scan asks again. Skips areas whose homehost has no live worker; a drained host enqueues none.
 */
export async function askHome(host: JobHost, wishes: readonly Wish[], forMs: number): Promise<void> {
  const { redis, settings, log } = host;
  if (wishes.length === 0 || (await listDrained(redis, settings.prefix)).has(settings.host)) return;
  const queue = openQueue(redis, settings, settings.host);
  try {
    for (const { area, home, self, policy, sinceLastMs } of wishes) {
      const old = await findHost(redis, settings.prefix, home);
      const names = [home, old?.host, old?.address].filter((name) => typeof name === "string");
      if (old?.alive !== true || !wantsArea(policy, names, self, sinceLastMs)) continue;
      const payload = parsePayload("migrate", {
        ...{ v: 1, area, to: settings.host, from: home, requestedBy: `policy@${settings.host}` },
        ...{ quietFor: policy.quietForMs, whenQuiet: true, deadline: forMs },
      });
      const wanted = newJobId("migrate");
      const { id } = await queue.add("migrate", payload, enqueueOptions("migrate", payload, wanted));
      if (id === wanted)
        log.info({ area, home, jobId: id }, "enqueued a migration of an area that prefers this host");
    }
  } finally {
    await queue.close();
  }
}
