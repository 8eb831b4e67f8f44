import type { Redis } from "ioredis";
import type { Settings } from "../settings.ts";
import { openQueue } from "./connections.ts";
import { isForwarded } from "./forwarded.ts";
import { redisKey } from "./names.ts";

/** Seconds for which a request is remembered, so that it also meets a job that was put back or forwarded. */
const rememberedFor = 24 * 60 * 60;

/**
 * `removed`: it had not begun and is gone; `requested`: it is running (or about to) and ends `cancelled` at its
 * next batch; `finished`: too late; `unknown`: the host's queue has no such job.
 */
export type CancelOutcome = "removed" | "requested" | "finished" | "unknown";

const cancelKey = (prefix: string, jobId: string) => redisKey(prefix, "cancel", jobId);

/** Asks that the job `jobId` of `host`'s queue ends, whatever it is doing; a forwarded one is followed, `hops` times at most. */
export async function requestCancel(
  redis: Redis,
  settings: Pick<Settings, "prefix">,
  host: string,
  jobId: string,
  hops = 8,
): Promise<CancelOutcome> {
  const queue = openQueue(redis, settings, host);
  try {
    const job = await queue.getJob(jobId);
    if (job === undefined) return "unknown";
    const state = await job.getState();
    if (state === "completed" && isForwarded(job.returnvalue) && hops > 0) {
      const { host: next, jobId: nextId } = job.returnvalue.forwarded;
      return await requestCancel(redis, settings, next, nextId, hops - 1);
    }
    if (state === "completed" || state === "failed") return "finished";
    // The request goes first: a worker that takes the job while it is being removed still sees it.
    await redis.set(cancelKey(settings.prefix, jobId), "1", "EX", rememberedFor);
    if (state === "active") return "requested";
    try {
      await job.remove();
      return "removed";
    } catch (error) {
      if ((await job.getState()) === "active") return "requested";
      throw error;
    }
  } finally {
    await queue.close();
  }
}

/** True once somebody asked for the end of `jobId`. */
export async function isCancelRequested(redis: Redis, prefix: string, jobId: string): Promise<boolean> {
  return (await redis.exists(cancelKey(prefix, jobId))) === 1;
}

/** Forgets the request; a worker does so when the job has ended. */
export async function clearCancel(redis: Redis, prefix: string, jobId: string): Promise<void> {
  await redis.del(cancelKey(prefix, jobId));
}
