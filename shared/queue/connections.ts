import { type ConnectionOptions, Queue } from "bullmq";
import { Cluster, Redis } from "ioredis";
import { JobsError } from "../errors.ts";
import type { Settings } from "../settings.ts";
import { queueName } from "./names.ts";
import { unreachable } from "./outage.ts";
import { redisPlace, withoutPassword } from "./redis-url.ts";
import { isReply, replyError } from "./reply-error.ts";
import { tracing } from "./tracing.ts";

// BullMQ and ioredis take half a second to load on a slow machine: on the producers' side session.ts alone imports this
// file, and only once Redis is asked.

/** How long a command waits for Redis at most, in milliseconds, before it says "redis-unreachable". */
const connectDeadline = 1500;

/** How a client behaves while Redis is away, in milliseconds where it is a time. */
interface Behaviour {
  maxRetriesPerRequest: number | null;
  connectTimeout: number;
  retryStrategy(attempt: number): number;
  commandTimeout?: number;
  disconnectTimeout?: number;
  lazyConnect?: boolean;
  enableReadyCheck?: boolean;
  enableOfflineQueue?: boolean;
}

/** A client of one server, of the master that Sentinels name, or of a cluster: all of them have the same commands. */
function clientOf(url: string, behaviour: Behaviour): Redis {
  const { kind, nodes, options } = redisPlace(url);
  if (kind !== "cluster") return new Redis({ ...options, ...behaviour });
  const { lazyConnect = false, enableOfflineQueue = true, retryStrategy, ...each } = behaviour;
  const cluster = new Cluster(nodes, {
    lazyConnect,
    enableOfflineQueue,
    clusterRetryStrategy: retryStrategy,
    redisOptions: { ...options, ...each },
  });
  return cluster as unknown as Redis;
}

/** For BullMQ's workers and event readers: outages are waited out for ever. */
export interface PatientConnection {
  connection: ConnectionOptions;
  /** BullMQ closes what it opened itself; the client of a cluster it was given. */
  close(): void;
}

export function patientConnection(url: string): PatientConnection {
  // No `commandTimeout`: it would cut off the blocking reads.
  const behaviour = {
    maxRetriesPerRequest: null,
    connectTimeout: 2000,
    retryStrategy: (attempt: number) => Math.min(attempt * 100, 1000),
  };
  const { kind, options } = redisPlace(url);
  if (kind !== "cluster") return { connection: { ...options, ...behaviour }, close: () => {} };
  const client = clientOf(url, behaviour);
  return { connection: client, close: () => client.disconnect() };
}

/** For everything that answers a person: a command fails within a second, and later ones find Redis again. */
const failFast: Behaviour = {
  lazyConnect: true,
  // It would wait in silence for a server that loads its data; the first command's reply says so.
  enableReadyCheck: false,
  // ioredis keeps the process alive this long after disconnect() where the connection had failed.
  disconnectTimeout: 100,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 1500,
  commandTimeout: 1000,
  retryStrategy: (attempt) => Math.min(attempt * 100, 1000),
};

/**
 * For Redlock: one server that hangs must not hold up the quorum. Never give Redlock a patient client: it
 * waits for ever.
 */
export function lockClient(url: string, onError: (error: Error) => void): Redis {
  const client = clientOf(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 500,
    commandTimeout: 500,
    retryStrategy: (attempt) => Math.min(attempt * 50, 500),
  });
  // Each outage reaches the caller as a vote against; without a listener it would end the process.
  client.on("error", onError);
  return client;
}

/**
 * A connected fail-fast client. Rejects within 3 s: `redis-unreachable` if there is no answer or the server takes no
 * commands for a while, `bad-redis` if it refuses us. The caller ends it with `disconnect()`.
 *
 * @param setting the environment variable that holds the URL, for a hint; MTJOBS_REDIS_URL if left out
 */
export async function connectRedis(url: string, setting?: string): Promise<Redis> {
  const redis = clientOf(url, failFast);
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
    const refusal = replyError(error, url, setting);
    if (refusal !== undefined) throw refusal;
    if (isReply(error)) {
      throw new JobsError("bad-redis", `Redis at ${withoutPassword(url)} refuses access: ${error.message}`, {
        hint: "check the server's log and configuration",
        cause: error,
      });
    }
    throw unreachable(url, last ?? error);
  } finally {
    clearTimeout(timer);
    refused.catch(() => {});
  }
}

/**
 * The queue of `host` for adding and looking, over a client from `connectRedis` (closing the queue leaves it open).
 * Without these two options `add` waits for ever while Redis is away and lands long after the caller has gone.
 */
export function openQueue(redis: Redis, settings: Pick<Settings, "prefix">, host: string): Queue {
  const queue = new Queue(queueName(host), {
    connection: redis,
    prefix: settings.prefix,
    ...tracing(),
    skipWaitingForReady: true,
    skipVersionCheck: true,
  });
  // The same failures reject the calls themselves; unheard they would end the process.
  queue.on("error", () => {});
  return queue;
}
