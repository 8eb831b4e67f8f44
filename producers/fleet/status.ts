import { listDrained, listHosts } from "../../shared/queue/hosts.ts";
import { queueName } from "../../shared/queue/names.ts";
import type { FleetStatus } from "../contract/fleet.ts";
import { knownHosts } from "../jobs/list-jobs.ts";
import { automaticStatus } from "../jobs/schedule-status.ts";
import type { Session } from "../jobs/session.ts";

const counted = [
  "waiting",
  "active",
  "delayed",
  "prioritized",
  "waiting-children",
  "completed",
  "failed",
] as const;

/** Returns all hosts with a queue or a worker, by name. */
export async function fleetStatus(session: Session): Promise<FleetStatus> {
  const { redis, settings } = session;
  const workers = new Map((await listHosts(redis, settings.prefix)).map((record) => [record.host, record]));
  const drained = await listDrained(redis, settings.prefix);
  const hosts = [...new Set([...(await knownHosts(session)), ...drained.keys()])].sort();
  return {
    automatic: await automaticStatus(session),
    hosts: await Promise.all(
      hosts.map(async (host) => ({
        host,
        queue: queueName(host),
        counts: await session.queue(host).getJobCounts(...counted),
        worker: workers.get(host) ?? null,
        drained: drained.get(host) ?? null,
      })),
    ),
  };
}
