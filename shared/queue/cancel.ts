import type { Job, Queue } from "bullmq";
import type { Redis } from "ioredis";
import { JobsError } from "../errors.ts";
import type { Settings } from "../settings.ts";
import { encodeFailure } from "./failure.ts";
import { isForwarded } from "./forwarded.ts";
import { type JobPlace, jobKey } from "./names.ts";

/** Seconds for which a request is remembered, so that it also meets a job that was put back or forwarded. */
const rememberedFor = 24 * 60 * 60;

/**
 * `removed`: it had not begun and was taken from its queue, where it stays known as cancelled; `requested`: it is running (or about to) and ends `cancelled` at its
 * next batch; `finished`: too late; `unknown`: the host's queue has no such job.
 */
export type CancelOutcome = "removed" | "requested" | "finished" | "unknown";

const cancelKey = (prefix: string, place: JobPlace) => jobKey(prefix, "cancel", place);

/** What is asked: Redis, and the queues over it. */
export interface Queues {
  readonly redis: Redis;
  readonly settings: Pick<Settings, "prefix">;
  queue(host: string): Queue;
}

/** Asks that a job ends, whatever it is doing; a forwarded one is followed, `hops` times at most. */
export async function requestCancel(queues: Queues, place: JobPlace, hops = 8): Promise<CancelOutcome> {
  const { redis, settings } = queues;
  const queue = queues.queue(place.host);
  const job = await queue.getJob(place.jobId);
  if (job === undefined) return "unknown";
  const state = await job.getState();
  if (state === "completed" && isForwarded(job.returnvalue) && hops > 0) {
    return await requestCancel(queues, job.returnvalue.forwarded, hops - 1);
  }
  if (state === "completed" || state === "failed") return "finished";
  // The request goes first: a worker that takes the job while it is being removed still sees it.
  await redis.set(cancelKey(settings.prefix, place), "1", "EX", rememberedFor);
  if (state === "active" || (await lookAtOnce(job))) return "requested";
  try {
    await removeAsCancelled(redis, queue, job);
    return "removed";
  } catch (error) {
    if ((await job.getState()) === "active") return "requested";
    throw error;
  }
}

/** A migration that waits for another host may be half done: its worker, not we, must end it. False for all others. */
async function lookAtOnce(job: Job): Promise<boolean> {
  if (job.name !== "migrate" || job.processedOn === undefined) return false;
  // One that waits no longer, or for a worker alone, is taken up without us and sees the request by itself.
  await job.promote().catch(() => {});
  return true;
}

/** How a job ends that was cancelled before it began. */
export function cancelledBeforehand(): JobsError {
  return new JobsError("cancelled", "the job was cancelled before it began", {
    hint: "nothing was changed; submit the job again",
  });
}

/**
 * Takes a job that has not begun from its queue and keeps it among the failed ones: who waits for it learns that it
 * was cancelled, and so does who looks later. BullMQ lets only the worker that has a job fail it, so the job's own
 * record is put back in the keys where BullMQ keeps failed jobs; it is cleaned up with them.
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
      failedReason: encodeFailure(cancelledBeforehand()),
    })
    .zadd(queue.toKey("failed"), now, id)
    .exec();
}

/** True once somebody asked for the job's end. */
export async function isCancelRequested(redis: Redis, prefix: string, place: JobPlace): Promise<boolean> {
  return (await redis.exists(cancelKey(prefix, place))) === 1;
}

/** Forgets the request; a worker does so when the job has ended. */
export async function clearCancel(redis: Redis, prefix: string, place: JobPlace): Promise<void> {
  await redis.del(cancelKey(prefix, place));
}
