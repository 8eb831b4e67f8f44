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

/** What came of asking for a job. */
export interface Enqueued extends JobPlace {
  job: JobName | "migrate";
  area: string;
  /** The same job had been asked for and is not finished: this is its id, and nothing was added. */
  duplicate: boolean;
  /** A worker of the host gave a sign of life; else the job waits until one does. */
  served: boolean;
}

/**
 * Adds a job to the queue of the area's homehost, as far as a worker there has told who it is; else to
 * this host's queue, whose worker forwards it. The same job asked for twice while the first is unfinished is one job.
 * With `givenId` (from `newJobId`, or shaped like one) the job has that id, and is not added again while any queue knows it.
 * Rejects with `bad-redis` where Redis is too old or may drop jobs.
 */
export async function enqueueJob(
  session: Session,
  { name, payload, area }: CheckedRequest,
  givenId?: string,
): Promise<Enqueued> {
  const { redis, settings } = session;
  // As the worker does: a job that may be evicted is promised to nobody.
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

/** The host whose queue a job on `area` is added to. */
export async function chooseHost({ redis, settings }: Session, area: Area): Promise<string> {
  return await hostOf(readHomehost(area), await listHosts(redis, settings.prefix), settings);
}

/**
 * The host whose queue jobs on areas of that homehost are added to: this one where it is at home here, or nobody knows. The
 * name service, which may be slow, is asked only where no living worker goes by that name.
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
