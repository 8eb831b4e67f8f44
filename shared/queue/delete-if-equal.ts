import type { Redis } from "ioredis";

const script = 'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0';

/** Deletes a key in one step with seeing that it still has this value: another program may have set it anew. */
export async function deleteIfEqual(redis: Redis, key: string, value: string): Promise<void> {
  await redis.eval(script, 1, key, value);
}
