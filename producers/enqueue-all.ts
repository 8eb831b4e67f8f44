import type { Job, Queue } from "bullmq";
import { type Homehost, readHomehost } from "../shared/area/homehost.ts";
import { enqueueOptions } from "../shared/queue/enqueue-options.ts";
import { type HostStatus, listHosts } from "../shared/queue/hosts.ts";
import { newJobId } from "../shared/queue/names.ts";
import { checkRedis } from "../shared/queue/redis-check.ts";
import { type Enqueued, hostOf } from "./enqueue.ts";
import type { CheckedRequest } from "./move-request.ts";
import type { Session } from "./session.ts";

/** Jobs sent to Redis in one transaction: others wait for its end. */
const chunk = 200;
/** While Redis works on some the next are made ready; all at once would be made ready before Redis has the first. */
const queuesAtOnce = 4;

/** A request on its way to a queue. */
interface Addressed {
  request: CheckedRequest;
  /** The id it has unless the same job was asked for before. */
  wanted: string;
  host: string;
}

/**
 * Adds many jobs, as `enqueueJob` adds one, with few round trips to Redis. Where Redis is lost on the way some have been
 * added; asking for all of them again adds only those that are missing.
 *
 * @returns what came of each request, in their order
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

/** Many jobs may be on one area, and many areas on one host: each is looked at once. */
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
