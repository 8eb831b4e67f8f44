import type { Area } from "../shared/area/area.ts";
import { type Homehost, isAtHome, readHomehost } from "../shared/area/homehost.ts";
import { enqueueOptions } from "../shared/queue/enqueue-options.ts";
import { type HostStatus, hostNamed, listHosts } from "../shared/queue/hosts.ts";
import { type JobPlace, newJobId } from "../shared/queue/names.ts";
import type { JobName } from "../shared/queue/payload.ts";
import { checkRedis } from "../shared/queue/redis-check.ts";
import type { Settings } from "../shared/settings.ts";
import { lookForJob } from "./find-job.ts";
import type { CheckedRequest } from "./move-request.ts";
import type { Session } from "./session.ts";

export interface Enqueued extends JobPlace {
  job: JobName | "migrate";
  area: string;
  /** The same job was already enqueued and is unfinished: this is its id, and nothing was added. */
  duplicate: boolean;
  /** The host has a live worker; otherwise the job waits for one. */
  served: boolean;
}

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
  const known = givenId === undefined ? undefined : await lookForJob(session, givenId);
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
export async function hostOf(
  homehost: Homehost,
  hosts: readonly HostStatus[],
  settings: Settings,
): Promise<string> {
  const { value } = homehost;
  if (value === undefined || value === settings.host || value === settings.address) return settings.host;
  const known = hostNamed(hosts, value);
  if (known?.alive) return known.host;
  return (await isAtHome(homehost, settings)) ? settings.host : (known?.host ?? settings.host);
}
