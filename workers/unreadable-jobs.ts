import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { Logger } from "../shared/log.ts";

/** Fields of a job's hash that BullMQ throws at unless they are JSON, and what says nothing in their place. */
const blanks = { data: "{}", opts: "{}", progress: "0" } as const;
type Field = keyof typeof blanks;
const fields = Object.keys(blanks) as Field[];

/** As much of a field's text is kept, in characters. */
const keptLength = 1000;

/** Sets fields of a hash that is still there. */
const setIfThere = `
if redis.call("EXISTS", KEYS[1]) == 1 then redis.call("HSET", KEYS[1], unpack(ARGV)) end`;

/**
 * A job that another client wrote by hand may be none: BullMQ throws where it reads it, after it has made it active, and with
 * a concurrency of one the queue would stand until it had stalled too often. Here its fields become readable; its data
 * becomes what no job has, so that it fails with the reason once BullMQ's look for stalled jobs has put it back, some 15 s
 * later. A job that can be read is left alone.
 */
export async function mendUnreadable(redis: Redis, queue: Queue, log: Logger): Promise<void> {
  for (const id of await redis.lrange(queue.toKey("active"), 0, -1)) {
    const key = queue.toKey(id);
    const values = await redis.hmget(key, ...fields);
    const broken = fields.filter((field, index) => !isReadable(field, values[index]));
    if (broken.length === 0) continue;
    const unreadable = Object.fromEntries(
      broken.map((field) => [field, values[fields.indexOf(field)]?.slice(0, keptLength)]),
    );
    const blank = broken.flatMap((field) => (field === "data" ? [] : [field, blanks[field]]));
    await redis.eval(setIfThere, 1, key, ...blank, "data", JSON.stringify({ unreadable }));
    log.warn({ jobId: id, unreadable }, "no job can be read from its hash: it is to fail");
  }
}

/** A field that is not there, or empty, is none for BullMQ either. */
function isReadable(field: Field, text: string | null | undefined): boolean {
  if (text == null || text === "") return true;
  try {
    const value: unknown = JSON.parse(text);
    return field !== "opts" || (typeof value === "object" && value !== null);
  } catch {
    return false;
  }
}
