import { startRedis } from "../../scripts/redis.mjs";

/** One Redis for all test files: the one `npm test` provides, else (for a bare `npx vitest`) a private one. */
export default async function setup(): Promise<() => Promise<void>> {
  const redis = await startRedis();
  process.env.MTJOBS_REDIS_URL = redis.url;
  return redis.stop;
}
