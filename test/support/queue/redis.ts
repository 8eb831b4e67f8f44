import { randomBytes } from "node:crypto";
import type { Redis } from "ioredis";

/** Loads the libraries of the queue, half a second: only for those tests that use Redis. */
export const queueLibraries = () => import("../../../shared/queue/connections.ts");

export function testRedisUrl(): string {
  const url = process.env.MTJOBS_REDIS_URL;
  if (url === undefined) throw new Error("MTJOBS_REDIS_URL is not set: run the tests with npm test");
  return url;
}

export function testPrefix(): string {
  return `{test-${randomBytes(6).toString("hex")}}`;
}

/** Runs `body` with a client and its own prefix, and removes that prefix's keys afterwards. */
export async function withRedis(
  body: (redis: Redis, prefix: string, url: string) => Promise<void>,
  url = testRedisUrl(),
): Promise<void> {
  const { connectRedis } = await queueLibraries();
  const redis = await connectRedis(url);
  const prefix = testPrefix();
  try {
    await body(redis, prefix, url);
  } finally {
    const keys = await redis.keys(`${prefix}:*`);
    if (keys.length > 0) await redis.del(keys);
    redis.disconnect();
  }
}
