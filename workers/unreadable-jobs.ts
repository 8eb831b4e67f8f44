import type { Queue } from "bullmq";
import type { Redis } from "ioredis";

/** Fields of a job's hash that BullMQ reads as JSON, each with what says nothing. */
const jsonFields = { opts: "{}", progress: "0", stacktrace: "[]", returnvalue: "null" } as const;

/** As much of a field's text is kept, in characters. */
const keptLength = 1000;

/**
 * A job that another client wrote by hand may be none: BullMQ throws where it reads it, after it has made it active, and with
 * a concurrency of one the queue would stand until it had stalled too often. Here its fields become readable; its data
 * becomes what no job has, so that it fails with the reason once BullMQ's look for stalled jobs, which its lock no longer
 * holds up, has put it back.
 *
 * @returns ids of the jobs mended
 */
export async function mendUnreadable(redis: Redis, queue: Queue): Promise<string[]> {
  const mended: string[] = [];
  for (const id of await redis.lrange(queue.toKey("active"), 0, -1)) {
    const key = queue.toKey(id);
    const names = ["data", ...Object.keys(jsonFields)];
    const values = await redis.hmget(key, ...names);
    const broken = names.filter((_, index) => !isJson(values[index]));
    if (broken.length === 0) continue;
    const unreadable = Object.fromEntries(
      broken.map((name) => [name, values[names.indexOf(name)]?.slice(0, keptLength)]),
    );
    const blank = Object.entries(jsonFields).filter(([name]) => broken.includes(name));
    await redis.hset(key, { ...Object.fromEntries(blank), data: JSON.stringify({ unreadable }) });
    await redis.del(`${key}:lock`);
    mended.push(id);
  }
  return mended;
}

/** A field that is not there is as it should be. */
function isJson(text: string | null | undefined): boolean {
  if (text == null) return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
