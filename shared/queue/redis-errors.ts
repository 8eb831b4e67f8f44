import type { Redis } from "ioredis";
import { type ErrorOptions, JobsError, toJobsError } from "../errors.ts";
import { withoutPassword } from "../settings/redis-url.ts";
import { replyError } from "./reply-error.ts";

/** ioredis' message for a late answer, also if Redis or this process was only slow; it has no class or code. */
const late = "Command timed out";

/** ioredis' messages for a lost connection. */
const lostConnection = /enableOfflineQueue|maxRetriesPerRequest|^Connection is closed/;

/** Returns empty if unknown. */
export function outageReason(cause: unknown): string {
  if (!(cause instanceof Error)) return "";
  if (lostConnection.test(cause.message)) return "the connection is lost";
  return cause.message === late ? "no answer in time" : cause.message;
}

export function unreachable(url: string, cause: unknown): JobsError {
  const options: ErrorOptions = {
    hint: "start Redis there, or set MTJOBS_REDIS_URL",
    cause,
    details: { url: withoutPassword(url) },
  };
  const reason = outageReason(cause);
  const why = reason === "" ? "" : ` (${reason})`;
  return new JobsError(
    "redis-unreachable",
    `Redis at ${withoutPassword(url)} is out of reach${why}`,
    options,
  );
}

/**
 * Maps to `redis-unreachable` if Redis does not answer in time, `bad-redis` if it refuses commands, also for a while;
 * otherwise unchanged.
 */
export async function toQueueError(error: unknown, redis: Redis, url: string): Promise<JobsError> {
  if (error instanceof JobsError) return error;
  const refused = replyError(error, url);
  if (refused !== undefined) return refused;
  if (error instanceof Error && error.message === late) return unreachable(url, error);
  try {
    await redis.ping();
  } catch {
    return unreachable(url, error);
  }
  return toJobsError(error);
}
