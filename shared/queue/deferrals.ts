import type { Redis } from "ioredis";
import { decodeFailure, encodeFailure } from "../contract/failure.ts";
import type { JobsError } from "../errors.ts";
import { type JobLocation, jobKey } from "./names.ts";

/** How long a reason is kept after the delay, seconds. */
const rememberedFor = 60;

const waitingKey = (prefix: string, place: JobLocation) => jobKey(prefix, "waits", place);

/**
 * Records why a job is delayed; BullMQ keeps no failure of it.
 *
 * @param until when it continues, ms since 1970
 */
export async function recordDeferral(
  redis: Redis,
  prefix: string,
  place: JobLocation,
  reason: JobsError,
  until = Date.now(),
): Promise<void> {
  const seconds = rememberedFor + Math.max(0, Math.ceil((until - Date.now()) / 1000));
  await redis.set(waitingKey(prefix, place), encodeFailure(reason), "EX", seconds);
}

export async function readDeferral(
  redis: Redis,
  prefix: string,
  place: JobLocation,
): Promise<JobsError | undefined> {
  const text = await redis.get(waitingKey(prefix, place));
  return text === null ? undefined : decodeFailure(text);
}

export async function clearDeferral(redis: Redis, prefix: string, place: JobLocation): Promise<void> {
  await redis.del(waitingKey(prefix, place));
}
