import type { Redis } from "ioredis";
import type { JobsError } from "../errors.ts";
import { decodeFailure, encodeFailure } from "./failure.ts";
import { type JobPlace, jobKey } from "./names.ts";

/** Seconds for which a reason counts once the job may be taken up again; longer than it is put off as a rule. */
const rememberedFor = 60;

const waitingKey = (prefix: string, place: JobPlace) => jobKey(prefix, "waits", place);

/**
 * Tells whoever follows the job why it is put off; such a job has no failure that BullMQ would keep.
 *
 * @param until when it is taken up again, ms since 1970
 */
export async function noteWaiting(
  redis: Redis,
  prefix: string,
  place: JobPlace,
  reason: JobsError,
  until = Date.now(),
): Promise<void> {
  const seconds = rememberedFor + Math.max(0, Math.ceil((until - Date.now()) / 1000));
  await redis.set(waitingKey(prefix, place), encodeFailure(reason), "EX", seconds);
}

/** Why the job was put off lately; undefined where it was not. */
export async function readWaiting(
  redis: Redis,
  prefix: string,
  place: JobPlace,
): Promise<JobsError | undefined> {
  const text = await redis.get(waitingKey(prefix, place));
  return text === null ? undefined : decodeFailure(text);
}

/** Forgets the reason; a worker does so when it has settled the job otherwise. */
export async function clearWaiting(redis: Redis, prefix: string, place: JobPlace): Promise<void> {
  await redis.del(waitingKey(prefix, place));
}
