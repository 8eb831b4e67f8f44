import { startRedis } from "../../scripts/redis.mjs";

/** Provides one Redis for all test files: that of `npm test`, otherwise (for a bare `npx vitest`) a private one. */
export default async function setup(): Promise<() => Promise<void>> {
  const redis = await startRedis();
  process.env.MTJOBS_REDIS_URL = redis.url;
  return redis.stop;
}
