import type { TestProject } from "vitest/node";
import { buildIfStale, targets } from "../../scripts/build.mjs";
import { startRedis } from "../../scripts/redis.mjs";

/**
 * Set-up of the integration tests: builds what is older than its sources, again before each run of a watching vitest,
 * so that no test runs stale code; and provides one Redis, that of `npm test`, otherwise (for a bare `npx vitest`) a
 * private one.
 *
 * @throws {SetupError} if the build fails
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await buildStale();
  project.onTestsRerun(buildStale);
  const redis = await startRedis();
  process.env.MTJOBS_REDIS_URL = redis.url;
  return redis.stop;
}

async function buildStale(): Promise<void> {
  await buildIfStale(targets.product);
  await buildIfStale(targets.tests);
}
