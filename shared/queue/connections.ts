import { Queue } from "bullmq";
import { Redis, type RedisOptions, ReplyError } from "ioredis";
import { type ErrorOptions, JobsError, toJobsError } from "../errors.ts";
import type { Settings } from "../settings.ts";
import { queueName } from "./names.ts";

/** How long a command waits for Redis at most, in milliseconds, before it says "redis-unreachable". */
const connectDeadline = 1500;

type RedisAddress = Pick<RedisOptions, "host" | "port" | "path" | "username" | "password" | "db" | "tls">;

/** Where and as whom to connect: `redis://`, `rediss://` and `unix://` (`unix:///path?db=1`). */
export function redisAddress(url: string): RedisAddress {
  const parsed = new URL(url);
  const unix = parsed.protocol === "unix:";
  const db = parsed.searchParams.get("db") ?? (unix ? "" : parsed.pathname.slice(1));
  if (!/^\d*$/.test(db)) {
    throw new JobsError(
      "bad-settings",
      `Redis URL ${withoutPassword(url)}: "${db}" is not a database number`,
    );
  }
  return {
    ...(unix
      ? { path: decodeURIComponent(parsed.pathname) }
      : { host: parsed.hostname.replace(/^\[|\]$/g, "") || "127.0.0.1", port: Number(parsed.port || 6379) }),
    ...(parsed.username === "" ? {} : { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password === "" ? {} : { password: decodeURIComponent(parsed.password) }),
    ...(db === "" ? {} : { db: Number(db) }),
    ...(parsed.protocol === "rediss:" ? { tls: {} } : {}),
  };
}

/** The URL as it may be shown in a message or a log. */
export function withoutPassword(url: string): string {
  const parsed = new URL(url);
  if (parsed.password !== "") parsed.password = "***";
  return parsed.href;
}

/**
 * For BullMQ's workers and event readers: outages are waited out for ever. No `commandTimeout`: it would cut
 * off the blocking reads.
 */
export function patientOptions(url: string) {
  return {
    ...redisAddress(url),
    maxRetriesPerRequest: null,
    connectTimeout: 2000,
    retryStrategy: (attempt: number) => Math.min(attempt * 100, 1000),
  };
}

/** For everything that answers a person: a command fails within a second, and later ones find Redis again. */
function failFastOptions(url: string) {
  return {
    ...redisAddress(url),
    lazyConnect: true,
    // ioredis keeps the process alive this long after disconnect() where the connection had failed.
    disconnectTimeout: 100,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1500,
    commandTimeout: 1000,
    retryStrategy: (attempt: number) => Math.min(attempt * 100, 1000),
  };
}

/**
 * For Redlock: one server that hangs must not hold up the quorum. Never give Redlock a patient client: it
 * waits for ever.
 */
export function lockClient(url: string): Redis {
  const client = new Redis({
    ...redisAddress(url),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 500,
    commandTimeout: 500,
    retryStrategy: (attempt: number) => Math.min(attempt * 50, 500),
  });
  // Each outage reaches the caller as a vote against; without a listener it would end the process.
  client.on("error", () => {});
  return client;
}

function unreachable(url: string, cause: unknown): JobsError {
  const options: ErrorOptions = {
    hint: "start Redis there, or set MTJOBS_REDIS_URL; --inline needs no Redis",
    cause,
    details: { url: withoutPassword(url) },
  };
  const why = cause instanceof Error && cause.message !== "" ? ` (${cause.message})` : "";
  return new JobsError(
    "redis-unreachable",
    `Redis at ${withoutPassword(url)} is out of reach${why}`,
    options,
  );
}

/** True for what Redis itself answered, as a refused password; false for a connection that failed. */
function isReply(error: unknown): error is Error {
  return error instanceof ReplyError || (error instanceof Error && error.name === "ReplyError");
}

/**
 * A connected fail-fast client. Rejects within 3 s: `redis-unreachable` where nobody answers, `bad-redis`
 * where the server refuses us. The caller ends it with `disconnect()`.
 */
export async function connectRedis(url: string): Promise<Redis> {
  const redis = new Redis(failFastOptions(url));
  let last: unknown;
  let timer: NodeJS.Timeout | undefined;
  const refused = new Promise<never>((_, reject) => {
    redis.on("error", (error: unknown) => {
      last = error;
      if (isReply(error)) reject(error);
    });
    timer = setTimeout(() => reject(last ?? new Error("no answer")), connectDeadline);
  });
  try {
    await Promise.race([redis.connect(), refused]);
    await Promise.race([redis.ping(), refused]);
    return redis;
  } catch (error) {
    redis.disconnect();
    if (isReply(error)) {
      throw new JobsError("bad-redis", `Redis at ${withoutPassword(url)} refuses us: ${error.message}`, {
        hint: "check user and password in MTJOBS_REDIS_URL",
        cause: error,
      });
    }
    throw unreachable(url, last ?? error);
  } finally {
    clearTimeout(timer);
    refused.catch(() => {});
  }
}

/** Maps what a queue operation threw: `redis-unreachable` where Redis no longer answers, else as it is. */
export async function toQueueError(error: unknown, redis: Redis, url: string): Promise<JobsError> {
  if (error instanceof JobsError) return error;
  try {
    await redis.ping();
  } catch {
    return unreachable(url, error);
  }
  return toJobsError(error);
}

/**
 * The queue of `host` for adding and looking, over a client from `connectRedis` (closing the queue leaves it open).
 * Without these two options `add` waits for ever while Redis is away and lands long after the caller has gone.
 */
export function openQueue(redis: Redis, settings: Pick<Settings, "prefix">, host: string): Queue {
  const queue = new Queue(queueName(host), {
    connection: redis,
    prefix: settings.prefix,
    skipWaitingForReady: true,
    skipVersionCheck: true,
  });
  // The same failures reject the calls themselves; unheard they would end the process.
  queue.on("error", () => {});
  return queue;
}
