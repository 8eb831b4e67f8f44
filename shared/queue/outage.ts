import type { Redis } from "ioredis";
import { type ErrorOptions, JobsError, toJobsError } from "../errors.ts";
import { withoutPassword } from "./redis-url.ts";
import { replyError } from "./reply-error.ts";

/** What ioredis says of a command without an answer, also where Redis or this process was only slow; it has no class or code for it. */
const late = "Command timed out";

/** What ioredis says of a command on a connection that is lost, by the names of its own options. */
const lostConnection = /enableOfflineQueue|maxRetriesPerRequest|^Connection is closed/;

/** Why a server is out of reach, in words that need no knowledge of ioredis; empty if nothing is known. */
export function outageReason(cause: unknown): string {
  if (!(cause instanceof Error)) return "";
  if (lostConnection.test(cause.message)) return "the connection is lost";
  return cause.message === late ? "no answer in time" : cause.message;
}

/** `redis-unreachable`, naming the server at `url`. */
export function unreachable(url: string, cause: unknown): JobsError {
  const options: ErrorOptions = {
    hint: "start Redis there, or set MTJOBS_REDIS_URL; --inline needs no Redis",
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
 * Maps what a queue operation threw: `redis-unreachable` where Redis no longer answers, answers too late, or takes no
 * commands for a while; `bad-redis` where it refuses them; else as it is.
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
