import { type ConnectionOptions, Queue } from "bullmq";
import { Cluster, Redis } from "ioredis";
import { JobsError } from "../errors.ts";
import { redisLocation, withoutPassword } from "../settings/redis-url.ts";
import type { Settings } from "../settings/settings.ts";
import { greeting } from "./greeting.ts";
import { queueName } from "./names.ts";
import { unreachable } from "./redis-errors.ts";
import { isReply, replyError } from "./reply-error.ts";
import { tracing } from "./tracing.ts";

// Loading BullMQ and ioredis takes half a second on a slow machine: among the producers only session.ts imports this
// file, on demand.

/** How long connecting may take, ms. */
const connectDeadline = 1500;

/** Client options for outages; times in ms. */
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

/** Creates a client; all kinds have the same commands. */
function clientOf(url: string, behaviour: Behaviour): Redis {
  const { kind, nodes, options } = redisLocation(url);
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

/** For BullMQ's workers and event readers, which retry forever. */
export interface WaitingConnection {
  connection: ConnectionOptions;
  /** BullMQ closes only its own connections. */
  close(): void;
}

export function waitingConnection(url: string): WaitingConnection {
  // A `commandTimeout` would interrupt blocking reads.
  const behaviour = {
    maxRetriesPerRequest: null,
    connectTimeout: 2000,
    retryStrategy: (attempt: number) => Math.min(attempt * 100, 1000),
  };
  const { kind, options } = redisLocation(url);
  if (kind !== "cluster") return { connection: { ...options, ...behaviour }, close: () => {} };
  const client = clientOf(url, behaviour);
  return { connection: client, close: () => client.disconnect() };
}

/** For interactive use: commands fail within a second, and later ones reconnect. */
const failFast: Behaviour = {
  lazyConnect: true,
  // It would wait silently for a server that loads its data.
  enableReadyCheck: false,
  // How long ioredis keeps the process alive after a failed connection.
  disconnectTimeout: 100,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 1500,
  commandTimeout: 1000,
  retryStrategy: (attempt) => Math.min(attempt * 100, 1000),
};

/**
 * Creates a client for Redlock: a hanging server must not delay the quorum, and a client of `waitingConnection` would wait forever.
 */
export function lockClient(url: string, onError: (error: Error) => void): Redis {
  const client = clientOf(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 500,
    commandTimeout: 500,
    retryStrategy: (attempt) => Math.min(attempt * 50, 500),
  });
  // Errors count as failed votes; without a listener they would end the process.
  client.on("error", onError);
  return client;
}

/**
 * Returns a connected client. Rejects within 3 s: `redis-unreachable`, or `bad-redis` if the server refuses access.
 * The caller ends it with `disconnect()`.
 *
 * @param setting the environment variable with the URL, for a hint
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
    const replied = replyError(error, url, setting) ?? replyError(last, url, setting);
    const refusal = replied ?? replyError(await greeting(url), url, setting);
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
 * Opens the queue of `host` for adding and reading; closing it leaves `redis` open. Without the two options, `add`
 * waits forever during an outage and may succeed after the caller has gone.
 */
export function openQueue(redis: Redis, settings: Pick<Settings, "prefix">, host: string): Queue {
  const queue = new Queue(queueName(host), {
    connection: redis,
    prefix: settings.prefix,
    ...tracing(),
    skipWaitingForReady: true,
    skipVersionCheck: true,
  });
  // Calls reject with the same errors; without a listener they would end the process.
  queue.on("error", () => {});
  return queue;
}
