import { toQueueError } from "../shared/queue/outage.ts";
import type { Settings } from "../shared/settings.ts";
import { openSession, type Session } from "./session.ts";

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
