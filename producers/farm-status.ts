import { type HostStatus, listHosts } from "../shared/queue/hosts.ts";
import { queueName } from "../shared/queue/names.ts";
import { knownHosts } from "./hosts.ts";
import type { Session } from "./session.ts";

/** One host's queue and its worker. */
export interface QueueStatus {
  host: string;
  queue: string;
  /** Jobs by state. */
  counts: Record<string, number>;
  /** What its worker last told of itself; null where none ever did. `alive` says whether it is there now. */
  worker: HostStatus | null;
}

/** What `status` without AREA tells. */
export interface FarmStatus {
  hosts: QueueStatus[];
}

const counted = [
  "waiting",
  "active",
  "delayed",
  "prioritized",
  "waiting-children",
  "completed",
  "failed",
] as const;

/** All hosts with a queue or a worker, by name. */
export async function farmStatus(session: Session): Promise<FarmStatus> {
  const workers = new Map(
    (await listHosts(session.redis, session.settings.prefix)).map((record) => [record.host, record]),
  );
  const hosts = await knownHosts(session);
  return {
    hosts: await Promise.all(
      hosts.map(async (host) => ({
        host,
        queue: queueName(host),
        counts: await session.queue(host).getJobCounts(...counted),
        worker: workers.get(host) ?? null,
      })),
    ),
  };
}
