import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { toQueueError } from "../../shared/queue/redis-errors.ts";
import { flushTraces, startTracing } from "../../shared/queue/tracing.ts";
import type { Settings } from "../../shared/settings/settings.ts";

/** A Redis connection for the duration of one request, with the queues opened on it. */
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
  // Imported only here, so that commands without Redis start without its libraries.
  const { connectRedis, openQueue } = await import("../../shared/queue/connections.ts");
  await startTracing(settings);
  const redis = await connectRedis(settings.redisUrl);
  // A later outage rejects the calls themselves; without a listener this event would end the process.
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
      // Closing a queue calls Redis, and rejects if that is unreachable.
      await Promise.allSettled([...queues.values()].map((queue) => queue.close()));
      redis.disconnect();
      await flushTraces();
    },
  };
}

/** Runs `work` with a session and closes it; an outage becomes `redis-unreachable`. */
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

/** A session opened on first use, and reopened after it was closed or failed to open. */
export class LastingSession {
  readonly #settings: Settings;
  #session: Promise<Session> | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Runs `work` with the session; an outage becomes `redis-unreachable`. */
  async ask<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#open();
    try {
      return await work(session);
    } catch (error) {
      throw await toQueueError(error, session.redis, this.#settings.redisUrl);
    }
  }

  /** May be called twice. Never rejects. */
  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await (await session?.catch(() => undefined))?.close();
  }

  #open(): Promise<Session> {
    if (this.#session === undefined) {
      const opening = openSession(this.#settings);
      this.#session = opening;
      // The next call tries again.
      opening.catch(() => {
        if (this.#session === opening) this.#session = undefined;
      });
    }
    return this.#session;
  }
}
