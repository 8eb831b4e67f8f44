import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import Redlock, { ExecutionError, type Lock } from "redlock";
import { JobsError } from "../../shared/errors.ts";
import { lockClient } from "../../shared/queue/connections.ts";
import { outageReason } from "../../shared/queue/redis-errors.ts";
import { isReply } from "../../shared/queue/reply-error.ts";
import { redisLocation, withoutPassword } from "../../shared/settings/redis-url.ts";
import { type AreaLock, HeldLock, isContention, lockOf, votesAgainst } from "./held-lock.ts";
import { type LockOwner, readLockOwner } from "./lock-keys.ts";

export interface AreaLockOptions {
  /** Lifetime of a lock without renewal, ms. */
  ttl?: number;
  /** How long to try before giving up, ms; 0: one attempt. */
  wait?: number;
}

/**
 * Takes one lock per area across all hosts: Redlock over independent Redis servers. The lock is advisory: it saves
 * work. The fence in the databases is what makes a commit safe.
 *
 * Redlock's retries, `using()` and errors stay behind this file and held-lock.ts: its retries falsify the expiry it
 * reports, `using()` aborts only after the lock has expired, and one error class covers both contention and outage.
 */
export class AreaLocks {
  readonly #clients: Redis[];
  readonly #urls: readonly string[];
  /** Last error of each server's connection. */
  readonly #errors = new Map<Redis, Error>();
  readonly #redlock: Redlock;
  #taken: HeldLock[] = [];

  /** @throws JobsError `bad-settings` for an invalid URL, before any connection is opened */
  constructor(urls: readonly string[]) {
    for (const url of urls) redisLocation(url);
    this.#urls = urls;
    this.#clients = urls.map((url) => {
      const client = lockClient(url, (error) => this.#errors.set(client, error));
      client.on("ready", () => this.#errors.delete(client));
      return client;
    });
    this.#redlock = new Redlock(this.#clients, { retryCount: 2, retryDelay: 100, retryJitter: 20 });
  }

  /** Number of locks held, without those handed over. */
  get held(): number {
    this.#taken = this.#taken.filter(({ isHeld }) => isHeld);
    return this.#taken.length;
  }

  /** @param requestedAt `performance.now()` before the request: the lock lives at least `ttl` from then */
  #keep({ resources, value }: Lock, requestedAt: number, owner: LockOwner, ttl: number): AreaLock {
    const held = new HeldLock({
      redlock: this.#redlock,
      ownerClient: this.#clients[0],
      resources,
      value,
      requestedAt,
      owner,
      ttl,
    });
    this.#taken = [...this.#taken.filter(({ isHeld }) => isHeld), held];
    return held;
  }

  /**
   * Takes all of `keys` or none.
   *
   * @throws JobsError `locked` if another job holds one, `redis-unreachable` without a quorum of servers
   */
  async acquire(keys: string[], owner: LockOwner, options: AreaLockOptions = {}): Promise<AreaLock> {
    const { ttl = 10_000, wait = 1500 } = options;
    const deadline = performance.now() + wait;
    for (;;) {
      const requestedAt = performance.now();
      try {
        // No Redlock retries here: it would count the wait as part of the lock's life.
        const lock = await this.#redlock.acquire(keys, ttl, { retryCount: 0 });
        // A server that hung may have answered after the lock expired.
        if (performance.now() - requestedAt < ttl) return this.#keep(lock, requestedAt, owner, ttl);
      } catch (error) {
        if (performance.now() >= deadline) throw await this.#explain(error, keys);
      }
      await sleep(100 + Math.random() * 100);
    }
  }

  /**
   * Takes over a lock that another process handed over, even if an outage lost the value it reported. If the lock has
   * expired or Redis has lost it, acquires it again. Rejects as `acquire` does.
   */
  async adopt(keys: string[], value: string | undefined, owner: LockOwner, ttl = 10_000): Promise<AreaLock> {
    const handed = value === undefined ? undefined : await this.#extend(keys, value, owner, ttl);
    if (handed !== undefined) return handed;
    const own = await this.#valueOf(keys, owner.jobId);
    const found = own === undefined ? undefined : await this.#extend(keys, own, owner, ttl);
    return found ?? (await this.acquire(keys, owner, { ttl }));
  }

  /** Returns undefined if too few servers hold the lock with this value. */
  async #extend(keys: string[], value: string, owner: LockOwner, ttl: number): Promise<AreaLock | undefined> {
    const requestedAt = performance.now();
    try {
      const lock = await this.#redlock.extend(lockOf(this.#redlock, keys, value), ttl, { retryCount: 0 });
      return this.#keep(lock, requestedAt, owner, ttl);
    } catch (error) {
      if (!(error instanceof ExecutionError)) throw error;
      return undefined;
    }
  }

  /** Returns the value under which a job of this id holds the lock, in any process. */
  async #valueOf(keys: string[], jobId: string): Promise<string | undefined> {
    const [first] = this.#clients;
    const [key] = keys;
    if (first === undefined || key === undefined) return undefined;
    try {
      const owner = await readLockOwner(first, keys);
      return owner?.jobId === jobId ? ((await first.get(key)) ?? undefined) : undefined;
    } catch {
      return undefined;
    }
  }

  async #explain(error: unknown, keys: string[]): Promise<JobsError> {
    if (await isContention(error)) {
      const owner = await this.#owner(keys);
      const by = owner === undefined ? "another job" : `job ${owner.jobId} on ${owner.host}`;
      return new JobsError("locked", `${by} is working on this area`, {
        hint: "it is retried automatically when that job ends",
        details: { ...owner },
        cause: error,
      });
    }
    const silent = await this.#silent(error);
    const which = silent.length === 0 ? "" : `: ${silent.join(", ")}`;
    return new JobsError("redis-unreachable", `too few lock servers answer${which}`, {
      hint: "check MTJOBS_LOCK_REDIS_URLS: more than half of the servers must be up",
      cause: error,
    });
  }

  /** Lists the servers that did not vote for the lock, each with its reason. */
  async #silent(error: unknown): Promise<string[]> {
    const votes = await votesAgainst(error);
    return this.#clients.flatMap((client, index) => {
      const vote = votes.get(client);
      if (vote === undefined) return [];
      // A refused login is reported by the connection; later commands only say that there is none.
      const cause =
        isReply(vote) && !isReply(this.#errors.get(client)) ? vote : (this.#errors.get(client) ?? vote);
      return `${withoutPassword(this.#urls[index] ?? "")} (${outageReason(cause)})`;
    });
  }

  async #owner(keys: string[]): Promise<LockOwner | undefined> {
    const [first] = this.#clients;
    if (first === undefined) return undefined;
    // For the message only: that the lock is held is known already.
    return await readLockOwner(first, keys).catch(() => undefined);
  }

  /** Closes the connections; locks still held expire. */
  close(): void {
    for (const client of this.#clients) client.disconnect();
  }
}
