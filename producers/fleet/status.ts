import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { decodeFailure } from "../../shared/contract/failure.ts";
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
        counts: await countJobs(session.queue(host), redis),
        worker: workers.get(host) ?? null,
        drained: drained.get(host) ?? null,
      })),
    ),
  };
}

/** Counts jobs by state. A cancelled job, and a dry run that failed, are failed to BullMQ alone. */
async function countJobs(queue: Queue, redis: Redis): Promise<Record<string, number>> {
  const counts = await queue.getJobCounts(...counted);
  if ((counts.failed ?? 0) === 0) return { ...counts, cancelled: 0 };
  const ids = await redis.zrange(queue.toKey("failed"), "0", "-1");
  const jobs = await Promise.all(ids.map((id) => redis.hmget(queue.toKey(id), "failedReason", "data")));
  const isCancelled = ([reason]: (string | null)[]) => decodeFailure(reason ?? "").code === "cancelled";
  const cancelled = jobs.filter(isCancelled).length;
  const rehearsed = jobs.filter((job) => !isCancelled(job) && isDryRun(job[1])).length;
  return { ...counts, failed: (counts.failed ?? 0) - cancelled - rehearsed, cancelled };
}

function isDryRun(data: string | null | undefined): boolean {
  try {
    return (JSON.parse(data ?? "") as { dryRun?: unknown } | null)?.dryRun === true;
  } catch {
    return false; // another tool's job
  }
}
