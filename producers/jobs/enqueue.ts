import type { Job, Queue } from "bullmq";
import type { Area } from "../../shared/area/area.ts";
import { type Homehost, isAtHome, readHomehost } from "../../shared/area/homehost.ts";
import type { HostStatus } from "../../shared/contract/queue-records.ts";
import { enqueueOptions } from "../../shared/queue/enqueue-options.ts";
import { hostNamed, listHosts } from "../../shared/queue/hosts.ts";
import { newJobId } from "../../shared/queue/names.ts";
import { checkRedis } from "../../shared/queue/redis-check.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import type { Enqueued } from "../contract/job.ts";
import type { CheckedRequest } from "./check-move.ts";
import { searchJob } from "./find-job.ts";
import type { Session } from "./session.ts";

/**
 * Adds a job to the queue of the area's homehost if a worker has announced itself there; otherwise to this host's
 * queue, whose worker forwards it. A request equal to an unfinished job adds nothing. With `givenId` (from
 * `newJobId`, or shaped like one) the job has that id, and is not added again while any queue has it. Rejects with
 * `bad-redis` if Redis is too old or may evict jobs.
 */
export async function enqueueJob(
  session: Session,
  { name, payload, area }: CheckedRequest,
  givenId?: string,
): Promise<Enqueued> {
  const { redis, settings } = session;
  // Like the worker, refuse a Redis that may evict jobs.
  await checkRedis(redis, settings.redisUrl);
  const known = givenId === undefined ? undefined : await searchJob(session, givenId);
  const hosts = await listHosts(redis, settings.prefix);
  const host = known?.host ?? (await hostOf(readHomehost(area), hosts, settings));
  const wanted = givenId ?? newJobId(name);
  const job =
    known?.job ?? (await session.queue(host).add(name, payload, enqueueOptions(name, payload, wanted)));
  const jobId = String(job.id);
  return {
    jobId,
    job: name,
    area: payload.area,
    host,
    duplicate: jobId !== wanted,
    served: hosts.some((record) => record.host === host && record.alive),
  };
}

export async function chooseHost({ redis, settings }: Session, area: Area): Promise<string> {
  return await hostOf(readHomehost(area), await listHosts(redis, settings.prefix), settings);
}

/**
 * Returns the host whose queue receives jobs on areas of that homehost: this host if it is the homehost, or if none
 * is known. The name service may be slow, so it is asked only if no live worker has that name.
 */
async function hostOf(homehost: Homehost, hosts: readonly HostStatus[], settings: Settings): Promise<string> {
  const { value } = homehost;
  if (value === undefined || value === settings.host || value === settings.address) return settings.host;
  const known = hostNamed(hosts, value);
  if (known?.alive) return known.host;
  return (await isAtHome(homehost, settings)) ? settings.host : (known?.host ?? settings.host);
}

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
