import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { toQueueError } from "../shared/queue/outage.ts";
import { flushTraces, startTracing } from "../shared/queue/tracing.ts";
import type { Settings } from "../shared/settings.ts";

/** A connection to Redis for as long as one request lasts, and the queues opened over it. */
export interface Session {
  readonly redis: Redis;
  readonly settings: Settings;
  /** The queue of `host`; opened once. */
  queue(host: string): Queue;
  /** May be called twice. Never rejects. */
  close(): Promise<void>;
}

/** Connects. @throws {JobsError} `redis-unreachable` or `bad-redis`, within 3 s. */
export async function openSession(settings: Settings): Promise<Session> {
  // Here and nowhere else, so that what needs no Redis starts without its libraries.
  const { connectRedis, openQueue } = await import("../shared/queue/connections.ts");
  await startTracing(settings);
  const redis = await connectRedis(settings.redisUrl);
  // An outage later on rejects the calls themselves; unheard, this event would end the process.
  redis.on("error", () => {});
  const queues = new Map<string, Queue>();
  return {
    redis,
    settings,
    queue(host) {
      const open = queues.get(host) ?? openQueue(redis, settings, host);
      queues.set(host, open);
      return open;
    },
    async close() {
      // Closing a queue asks Redis, and rejects where Redis has gone meanwhile.
      await Promise.allSettled([...queues.values()].map((queue) => queue.close()));
      redis.disconnect();
      await flushTraces();
    },
  };
}

/** Runs `work` over a session and closes it; an outage on the way becomes `redis-unreachable`. */
export async function withSession<T>(settings: Settings, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await openSession(settings);
  try {
    return await work(session);
  } catch (error) {
    throw await toQueueError(error, session.redis, settings.redisUrl);
  } finally {
    await session.close();
  }
}
