import type { Job, Queue } from "bullmq";
import type { Redis } from "ioredis";
import { encodeFailure } from "../contract/failure.ts";
import { JobsError } from "../errors.ts";
import type { Settings } from "../settings/settings.ts";
import { isForwarded, type JobLocation, jobKey } from "./names.ts";

/** How long a request is kept, seconds: it must reach a requeued or forwarded job. */
const rememberedFor = 24 * 60 * 60;

/**
 * `removed`: it had not begun; `requested`: it ends at its next batch; `finished`: too late; `unknown`: no such job
 * in the host's queue.
 */
export type CancelOutcome = "removed" | "requested" | "finished" | "unknown";

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
    await removeAsCancelled(redis, queue, job);
    return "removed";
  } catch (error) {
    if ((await job.getState()) === "active") return "requested";
    throw error;
  }
}

/** Wakes a waiting migration, which only its worker can end. */
async function wakeMigration(job: Job): Promise<boolean> {
  if (job.name !== "migrate" || job.processedOn === undefined) return false;
  await job.promote().catch(() => {});
  return true;
}

export function cancelledBeforeStart(): JobsError {
  return new JobsError("cancelled", "the job was cancelled before it began", {
    hint: "nothing was changed; submit the job again",
  });
}

/**
 * Moves a job that has not begun to the failed ones, so that readers see that it was cancelled. BullMQ lets only a
 * job's worker fail it, so its record is written directly; it is cleaned up like the others.
 */
async function removeAsCancelled(redis: Redis, queue: Queue, job: Job): Promise<void> {
  const id = job.id ?? "";
  const record = await redis.hgetall(queue.toKey(id));
  await job.remove();
  const now = Date.now();
  await redis
    .multi()
    .hset(queue.toKey(id), {
      ...record,
      finishedOn: String(now),
      failedReason: encodeFailure(cancelledBeforeStart()),
    })
    .zadd(queue.toKey("failed"), now, id)
    .exec();
}

export async function isCancelRequested(redis: Redis, prefix: string, place: JobLocation): Promise<boolean> {
  return (await redis.exists(cancelKey(prefix, place))) === 1;
}

export async function clearCancel(redis: Redis, prefix: string, place: JobLocation): Promise<void> {
  await redis.del(cancelKey(prefix, place));
}
