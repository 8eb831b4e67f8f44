import { createHash } from "node:crypto";
import type { Job, JobsOptions, Queue } from "bullmq";
import type { Redis } from "ioredis";
import { hostAddress } from "../../shared/area/homehost.ts";
import type { JobName, JobPayload } from "../../shared/contract/payload.ts";
import { defined } from "../../shared/defined.ts";
import { JobsError } from "../../shared/errors.ts";
import { openQueue } from "../../shared/queue/connections.ts";
import { enqueueOptions } from "../../shared/queue/enqueue-options.ts";
import { findHost } from "../../shared/queue/hosts.ts";
import { type Forwarded, isForwarded, isNumber, newJobId, redisKey } from "../../shared/queue/names.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import type { WorkerContext } from "./worker-context.ts";

/** How long a job's route is kept, seconds. */
const wayRememberedFor = 30 * 24 * 60 * 60;
/** A job forwarded this often will not arrive: the hosts disagree about the homehost. */
const longestWay = 8;

/** Returns the hosts that forwarded the job so far, in order, including this one. */
async function noteWay(redis: Redis, key: string, host: string): Promise<string[]> {
  const way = await redis.lrange(key, 0, -1);
  // A worker that died between adding and finishing comes here again.
  if (way.at(-1) === host) return way;
  if (way.length >= longestWay) {
    throw new JobsError("not-home", `the job was forwarded in a circle: ${way.join(", ")}`, {
      hint: "these hosts disagree about the homehost: compare .homehost with MTJOBS_HOST and MTJOBS_ADDRESS on each",
      details: { way },
    });
  }
  await redis.rpush(key, host);
  await redis.expire(key, wayRememberedFor);
  return [...way, host];
}

/**
 * Removes the record of an earlier forwarding from the queue that the job returns to: BullMQ ignores an id that its
 * queue knows, so the job would be lost, and both hosts would report it as forwarded.
 */
async function makeRoom(queue: Queue, jobId: string, target: string): Promise<void> {
  const old = await queue.getJob(jobId);
  if (old === undefined) return;
  const state = await old.getState();
  if (state === "active") {
    throw new JobsError("locked", `${target} is still forwarding the job to this host`);
  }
  if (state === "completed" && isForwarded(old.returnvalue)) await old.remove();
}

/**
 * Returns the job's id in the other queue. A numeric id belongs to one BullMQ queue, so such a job gets an id derived
 * from its data, the same at each attempt.
 */
function idElsewhere({ id = "", name, timestamp }: Job, host: string): string {
  if (!isNumber(id)) return id;
  const hash = createHash("sha256").update(JSON.stringify([host, id, timestamp]));
  return `${name}-${hash.digest("hex").slice(0, 16)}`;
}

/**
 * Returns the options by which the parent of a flow also waits for the job in the other queue: this one ends as soon as
 * it is forwarded. BullMQ refuses to add a job whose parent is gone, and deduplication beside a parent.
 */
async function asChild(redis: Redis, job: Job, options: JobsOptions): Promise<JobsOptions> {
  const { parent, parentKey, opts } = job;
  if (parent?.id === undefined || parentKey === undefined || (await redis.exists(parentKey)) === 0)
    return options;
  const { deduplication: _none, ...rest } = options;
  const {
    failParentOnFailure,
    continueParentOnFailure,
    ignoreDependencyOnFailure,
    removeDependencyOnFailure,
  } = opts;
  const onFailure = {
    failParentOnFailure,
    continueParentOnFailure,
    ignoreDependencyOnFailure,
    removeDependencyOnFailure,
  };
  return { ...rest, ...defined(onFailure), parent: { id: parent.id, queue: parent.queueKey } };
}

const selfText = (settings: Settings) => hostAddress(settings).catch(() => "no address");

/**
 * Adds the job to the queue of the area's homehost under the same id, unless that is a number. Safe to repeat. A flow's
 * parent waits for it there.
 *
 * @throws JobsError `no-worker` if no host has that name or address, `not-home` for a forwarding circle
 */
export async function forwardJob(
  job: Job,
  payload: JobPayload,
  homehost: string,
  { redis, settings }: { redis: Redis; settings: Settings },
): Promise<Forwarded & { alive: boolean }> {
  const target = await findHost(redis, settings.prefix, homehost);
  if (target === undefined || target.host === settings.host) {
    throw new JobsError(
      "no-worker",
      `the area's homehost is ${homehost}, and no worker is registered under that name`,
      {
        hint: `start mtjobs worker there with MTJOBS_HOST or MTJOBS_ADDRESS as in .homehost; this host is ${settings.host} (${await selfText(settings)})`,
        details: { homehost },
      },
    );
  }
  const jobId = idElsewhere(job, settings.host);
  const way = await noteWay(redis, redisKey(settings.prefix, "way", jobId), settings.host);
  const queue = openQueue(redis, settings, target.host);
  try {
    if (way.includes(target.host)) await makeRoom(queue, jobId, target.host);
    const options = enqueueOptions(job.name as JobName, payload, jobId);
    const added = await queue.add(job.name, job.data, await asChild(redis, job, options));
    return { forwarded: { host: target.host, jobId: added.id ?? jobId }, alive: target.alive };
  } finally {
    await queue.close();
  }
}

/**
 * Enqueues the job of a schedule's turn. Turns that come while a job waits (area held, window closed) do not pile up:
 * equal work is one job. A turn repeated after its worker died finds that job, or adds another if it has ended.
 */
export async function enqueueScheduled(
  job: Job,
  payload: JobPayload,
  { redis, settings }: Pick<WorkerContext, "redis" | "settings">,
): Promise<Forwarded> {
  const queue: Queue = openQueue(redis, settings, settings.host);
  try {
    const name = job.name as JobName;
    const wanted = newJobId(name);
    const added = await queue.add(name, payload, enqueueOptions(name, payload, wanted));
    return { forwarded: { host: settings.host, jobId: added.id ?? wanted } };
  } finally {
    await queue.close();
  }
}
