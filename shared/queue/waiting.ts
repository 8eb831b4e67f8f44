import type { Redis } from "ioredis";
import type { JobsError } from "../errors.ts";
import { decodeFailure, encodeFailure } from "./failure.ts";
import { type JobPlace, jobKey } from "./names.ts";

/** Seconds for which a reason counts; longer than a job is put off at a time. */
const rememberedFor = 60;

const waitingKey = (prefix: string, place: JobPlace) => jobKey(prefix, "waits", place);

/** Tells whoever follows the job why it is put off; such a job has no failure that BullMQ would keep. */
export async function noteWaiting(
  redis: Redis,
  prefix: string,
  place: JobPlace,
  reason: JobsError,
): Promise<void> {
  await redis.set(waitingKey(prefix, place), encodeFailure(reason), "EX", rememberedFor);
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
