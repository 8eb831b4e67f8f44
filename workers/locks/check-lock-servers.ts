import { JobsError, toJobsError } from "../../shared/errors.ts";
import { connectRedis } from "../../shared/queue/connections.ts";
import { isOutage } from "../../shared/queue/reply-error.ts";
import type { Logger } from "../../shared/settings/log.ts";
import type { Settings } from "../../shared/settings/settings.ts";

const setting = "MTJOBS_LOCK_REDIS_URLS";

/**
 * Checks each lock server except the queue's, which `joinQueue` checks. One that does not answer is logged: the
 * others may be enough.
 *
 * @throws JobsError `bad-redis` if a server refuses the login, `bad-settings` for an invalid URL
 */
export async function checkLockServers(
  { redisUrl, lockRedisUrls }: Pick<Settings, "redisUrl" | "lockRedisUrls">,
  log: Logger,
): Promise<void> {
  const failures = await Promise.all(
    lockRedisUrls.filter((url) => url !== redisUrl).map((url) => failureOf(url)),
  );
  const refusal = failures.find((failure) => failure !== undefined && !isOutage(failure));
  if (refusal !== undefined) {
    const { code, message, hint, details } = refusal;
    const named = hint?.includes(setting) === true ? hint : `${hint} (${setting})`;
    throw new JobsError(code, `lock server: ${message}`, {
      hint: named,
      cause: refusal,
      details,
    });
  }
  for (const failure of failures) {
    if (failure !== undefined)
      log.warn(
        { hint: `check ${setting}: more than half of the servers must be up` },
        `lock server: ${failure.message}`,
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
