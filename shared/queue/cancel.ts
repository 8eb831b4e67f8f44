import type { Job, Queue } from "bullmq";
import type { Redis } from "ioredis";
import { encodeFailure } from "../contract/failure.ts";
import { JobsError } from "../errors.ts";
import type { Settings } from "../settings/settings.ts";
import { isForwarded, type JobLocation, jobKey } from "./names.ts";

/** How long a request is kept, seconds: it must reach a requeued or forwarded job. */
const rememberedFor = 24 * 60 * 60;

/**
 * `removed`: it had not begun; `ended`: it had begun, and waited to go on; `requested`: it ends at its next batch;
 * `finished`: too late; `unknown`: no such job in the host's queue.
 */
export type CancelOutcome = "removed" | "ended" | "requested" | "finished" | "unknown";

const cancelKey = (prefix: string, place: JobLocation) => jobKey(prefix, "cancel", place);

export interface Queues {
  readonly redis: Redis;
  readonly settings: Pick<Settings, "prefix">;
  queue(host: string): Queue;
}

/** Requests the end of a job; follows a forwarded one, at most `hops` times. */
export async function requestCancel(queues: Queues, place: JobLocation, hops = 8): Promise<CancelOutcome> {
  const { redis, settings } = queues;
  const queue = queues.queue(place.host);
  const job = await queue.getJob(place.jobId);
  if (job === undefined) return "unknown";
  const state = await job.getState();
  if (state === "completed" && isForwarded(job.returnvalue) && hops > 0) {
    return await requestCancel(queues, job.returnvalue.forwarded, hops - 1);
  }
  if (state === "completed" || state === "failed") return "finished";
  // First: a worker that takes the job during removal still sees it.
  await redis.set(cancelKey(settings.prefix, place), "1", "EX", rememberedFor);
  if (state === "active" || (await wakeMigration(job))) return "requested";
  try {
    return await removeAsCancelled(redis, queue, job);
  } catch (error) {
    if ((await job.getState()) === "active") return "requested";
    throw error;
  }
}

/** Wakes a waiting migration, which only its worker can end. */
async function wakeMigration(job: Job): Promise<boolean> {
  if (job.name !== "migrate" || !hasBegun(job)) return false;
  await job.promote().catch(() => {});
  return true;
}

/**
 * Whether a worker ever took the job: a waiting one may have moved runs before its worker stopped, before its area was
 * paused, or before the attempt that failed. A retry on Bull Board clears `processedOn`.
 */
export function hasBegun({ processedOn, attemptsStarted }: Job): boolean {
  return processedOn !== undefined || attemptsStarted > 0;
}

/** @param begun as `hasBegun` says; true if that is unknown */
export function cancelledInQueue(begun: boolean): JobsError {
  return begun
    ? new JobsError("cancelled", "the job was cancelled while it waited to go on", {
        hint: "runs already moved stay moved; submit the job again for the others",
      })
    : new JobsError("cancelled", "the job was cancelled before it began", {
        hint: "nothing was changed; submit the job again",
      });
}

/**
 * Moves a waiting job to the failed ones with its log, so that readers see that it was cancelled. BullMQ lets only a
 * job's worker fail it, so its record is written directly; it is cleaned up like the others.
 */
async function removeAsCancelled(redis: Redis, queue: Queue, job: Job): Promise<"removed" | "ended"> {
  const id = job.id ?? "";
  const [key, logKey] = [queue.toKey(id), queue.toKey(`${id}:logs`)];
  const [record, log] = await Promise.all([redis.hgetall(key), redis.lrange(logKey, 0, -1)]);
  // As it is now: a worker may have taken it and put it back since it was read.
  const begun = hasBegun((await queue.getJob(id)) ?? job);
  await job.remove();
  const now = Date.now();
  const written = redis
    .multi()
    .hset(key, {
      ...record,
      finishedOn: String(now),
      failedReason: encodeFailure(cancelledInQueue(begun)),
    })
    .zadd(queue.toKey("failed"), now, id);
  await (log.length === 0 ? written : written.rpush(logKey, ...log)).exec();
  return begun ? "ended" : "removed";
}

export async function isCancelRequested(redis: Redis, prefix: string, place: JobLocation): Promise<boolean> {
  return (await redis.exists(cancelKey(prefix, place))) === 1;
}

export async function clearCancel(redis: Redis, prefix: string, place: JobLocation): Promise<void> {
  await redis.del(cancelKey(prefix, place));
}
