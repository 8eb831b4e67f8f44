import { JobsError, toJobsError } from "../shared/errors.ts";
import type { Logger } from "../shared/log.ts";
import { connectRedis } from "../shared/queue/connections.ts";
import type { Settings } from "../shared/settings.ts";

const setting = "MTJOBS_LOCK_REDIS_URLS";

/**
 * Asks each lock server but the queue's, which `joinQueue` checks. One that does not answer is told in the log: the others may be enough.
 *
 * @throws JobsError `bad-redis` for a server that refuses us, `bad-settings` for a URL that is none
 */
export async function checkLockServers(
  { redisUrl, lockRedisUrls }: Pick<Settings, "redisUrl" | "lockRedisUrls">,
  log: Logger,
): Promise<void> {
  const failures = await Promise.all(
    lockRedisUrls.filter((url) => url !== redisUrl).map((url) => failureOf(url)),
  );
  const refusal = failures.find((failure) => failure !== undefined && failure.code !== "redis-unreachable");
  if (refusal !== undefined) {
    const { code, message, hint, details } = refusal;
    const named = hint?.includes(setting) === true ? hint : `${hint} (${setting})`;
    throw new JobsError(code, `a lock server: ${message}`, {
      hint: named,
      cause: refusal,
      ...(details === undefined ? {} : { details }),
    });
  }
  for (const failure of failures) {
    if (failure !== undefined)
      log.warn(
        { hint: `see ${setting}; more than half of them must be up` },
        `a lock server: ${failure.message}`,
      );
  }
}

async function failureOf(url: string): Promise<JobsError | undefined> {
  try {
    (await connectRedis(url, setting)).disconnect();
    return undefined;
  } catch (error) {
    return toJobsError(error);
  }
}
