import type { Job, Queue } from "bullmq";
import { type Homehost, readHomehost } from "../shared/area/homehost.ts";
import { enqueueOptions } from "../shared/queue/enqueue-options.ts";
import { type HostStatus, listHosts } from "../shared/queue/hosts.ts";
import { newJobId } from "../shared/queue/names.ts";
import { checkRedis } from "../shared/queue/redis-check.ts";
import { type Enqueued, hostOf } from "./enqueue.ts";
import type { CheckedRequest } from "./move-request.ts";
import type { Session } from "./session.ts";

/** Jobs per Redis transaction, which other clients wait for. */
const chunk = 200;
/**
 * Queues filled concurrently: the next jobs are prepared while Redis works. With all at once, Redis would wait for
 * the preparation of all.
 */
const queuesAtOnce = 4;

interface Addressed {
  request: CheckedRequest;
  /** The job's id, unless the same job is already enqueued. */
  wanted: string;
  host: string;
}

/**
 * Adds many jobs as `enqueueJob` does, with few round trips to Redis. If Redis is lost midway, some have been
 * added; repeating the call adds only the missing ones.
 *
 * @returns a result for each request, in their order
 */
export async function enqueueAll(session: Session, requests: readonly CheckedRequest[]): Promise<Enqueued[]> {
  const { redis, settings } = session;
  await checkRedis(redis, settings.redisUrl);
  const hosts = await listHosts(redis, settings.prefix);
  const addressed = await address(session, requests, hosts);
  const jobIds = new Map<Addressed, string>();
  const groups = [...byHost(addressed)];
  for (let from = 0; from < groups.length; from += queuesAtOnce) {
    await Promise.all(
      groups.slice(from, from + queuesAtOnce).map(async ([host, jobs]) => {
        const added = await addInChunks(session.queue(host), jobs);
        for (const [index, job] of jobs.entries()) jobIds.set(job, String(added[index]?.id));
      }),
    );
  }
  const alive = new Set(hosts.filter((record) => record.alive).map(({ host }) => host));
  return addressed.map((job) => {
    const { request, wanted, host } = job;
    const jobId = jobIds.get(job) ?? wanted;
    const { name, payload } = request;
    const duplicate = jobId !== wanted;
    return { jobId, job: name, area: payload.area, host, duplicate, served: alive.has(host) };
  });
}

/** Looks up each area and each homehost once, however many jobs they have. */
async function address(
  { settings }: Session,
  requests: readonly CheckedRequest[],
  hosts: readonly HostStatus[],
): Promise<Addressed[]> {
  const homehosts = new Map<string, Homehost>();
  for (const { area } of requests) {
    if (!homehosts.has(area.realPath)) homehosts.set(area.realPath, readHomehost(area));
  }
  const distinct = new Map([...homehosts.values()].map((homehost) => [homehost.value, homehost]));
  const queues = new Map(
    await Promise.all(
      [...distinct.values()].map(
        async (homehost) => [homehost.value, await hostOf(homehost, hosts, settings)] as const,
      ),
    ),
  );
  return requests.map((request) => ({
    request,
    wanted: newJobId(request.name),
    host: queues.get(homehosts.get(request.area.realPath)?.value) ?? settings.host,
  }));
}

function byHost(addressed: readonly Addressed[]): Map<string, Addressed[]> {
  const groups = new Map<string, Addressed[]>();
  for (const job of addressed) {
    const group = groups.get(job.host);
    if (group === undefined) groups.set(job.host, [job]);
    else group.push(job);
  }
  return groups;
}

async function addInChunks(queue: Queue, jobs: readonly Addressed[]): Promise<Job[]> {
  const added: Job[] = [];
  for (let from = 0; from < jobs.length; from += chunk) {
    const next = jobs.slice(from, from + chunk).map(({ request: { name, payload }, wanted }) => ({
      name,
      data: payload,
      opts: enqueueOptions(name, payload, wanted),
    }));
    added.push(...(await queue.addBulk(next)));
  }
  return added;
}
