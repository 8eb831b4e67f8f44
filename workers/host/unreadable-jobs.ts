import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { Logger } from "../../shared/settings/log.ts";

/** Fields of a job's hash that must be JSON, with a neutral value. */
const blanks = { data: "{}", opts: "{}", progress: "0" } as const;
type Field = keyof typeof blanks;
const fields = Object.keys(blanks) as Field[];

/** Maximum length kept of a field's text, characters. */
const keptLength = 1000;

/** Sets fields of a hash that still exists. */
const setIfThere = `
if redis.call("EXISTS", KEYS[1]) == 1 then redis.call("HSET", KEYS[1], unpack(ARGV)) end`;

/**
 * Repairs jobs that BullMQ cannot read, such as one another client wrote by hand. BullMQ throws after it has made the
 * job active, and with a concurrency of one the queue would stand still until the job has stalled too often. This
 * makes the fields readable and the data invalid, so that the job fails with the reason once BullMQ's check for
 * stalled jobs requeues it, some 15 s later.
 */
export async function failUnreadable(redis: Redis, queue: Queue, log: Logger): Promise<void> {
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
    log.warn({ jobId: id, unreadable }, "the job's hash cannot be read; the job will fail");
  }
}

/** To BullMQ a missing or empty field is no error. */
function isReadable(field: Field, text: string | null | undefined): boolean {
  if (text == null || text === "") return true;
  try {
    const value: unknown = JSON.parse(text);
    return field !== "opts" || (typeof value === "object" && value !== null);
  } catch {
    return false;
  }
}
