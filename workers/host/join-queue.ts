import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { HostRecord } from "../../shared/contract/queue-records.ts";
import { toJobsError } from "../../shared/errors.ts";
import { connectRedis, openQueue } from "../../shared/queue/connections.ts";
import { announceAlone, announceHost } from "../../shared/queue/hosts.ts";
import { checkRedis, type RedisFacts } from "../../shared/queue/redis-check.ts";
import { isTransient, replyError } from "../../shared/queue/reply-error.ts";
import type { Logger } from "../../shared/settings/log.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { rest } from "../area-db/transaction.ts";
import { type Alone, serveAlone, servedByOther } from "./serve-alone.ts";
import { hostRecord } from "./startup.ts";

/** A worker's Redis objects after its host is announced. */
export interface Joined {
  /** Fail-fast; the caller closes it. */
  redis: Redis;
  queue: Queue;
  record: HostRecord;
  facts: RedisFacts;
  /** Whether this worker must be the only one of its host. */
  isAlone: boolean;
}

/** Ms between two attempts. */
const pause = 1000;

/**
 * Opens the host's queue and announces the host. Waits while Redis loads its data or cannot save it; any other
 * failure ends the wait, with nothing left open.
 *
 * @param alone what to do if another worker serves the host; undefined: serve it as well
 * @throws JobsError `redis-unreachable` without an answer, `bad-redis`; `conflict` if another worker serves the host; the
 *   signal's reason
 */
export async function joinQueue(
  settings: Settings,
  log: Logger,
  signal: AbortSignal,
  alone?: Alone,
): Promise<Joined> {
  for (let logged = ""; ; ) {
    try {
      return await join(settings, log, signal, alone);
    } catch (error) {
      if (!isTransient(error)) throw error;
      const { message, hint } = toJobsError(error);
      if (message !== logged) log.warn({ hint }, `waiting: ${message}`);
      logged = message;
    }
    await rest(pause, signal);
  }
}

async function join(
  settings: Settings,
  log: Logger,
  signal: AbortSignal,
  alone: Alone | undefined,
): Promise<Joined> {
  const redis = await connectRedis(settings.redisUrl);
  redis.on("error", (error) => log.debug({ err: error }, "Redis connection"));
  try {
    const queue = openQueue(redis, settings, settings.host);
    const facts = await checkRedis(redis, settings.redisUrl);
    const record = await hostRecord(settings);
    if (alone !== undefined) await serveAlone(alone, { redis, prefix: settings.prefix, record, log }, signal);
    const joined = { redis, queue, facts, record, isAlone: alone !== undefined };
    await announce(settings, joined);
    signal.throwIfAborted();
    return joined;
  } catch (error) {
    redis.disconnect();
    throw replyError(error, settings.redisUrl) ?? error;
  }
}

/**
 * Announces this host; repeated in case Redis was emptied. The queue runs one job at a time, whatever its workers.
 *
 * @throws JobsError `conflict` if this worker must be alone and another one has taken over
 */
export async function announce(
  { prefix }: Settings,
  { redis, queue, record, isAlone }: Omit<Joined, "facts">,
): Promise<void> {
  await queue.setGlobalConcurrency(1);
  if (!isAlone) return await announceHost(redis, prefix, record);
  const other = await announceAlone(redis, prefix, record);
  if (other !== undefined) throw servedByOther(record.host, other.announcement);
}
