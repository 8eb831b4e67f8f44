import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import Redlock, { ExecutionError, type Lock } from "redlock";
import { JobsError } from "../shared/errors.ts";
import { type LockOwner, readLockOwner } from "../shared/queue/area-lock-key.ts";
import { lockClient } from "../shared/queue/connections.ts";
import { outageReason } from "../shared/queue/outage.ts";
import { redisPlace, withoutPassword } from "../shared/queue/redis-url.ts";
import { isReply } from "../shared/queue/reply-error.ts";
import { type AreaLock, HeldLock, isContention, lockOf, votesAgainst } from "./held-lock.ts";

export interface AreaLockOptions {
  /** How long a lock stands without renewal, in milliseconds. */
  ttl?: number;
  /** How long to try before giving up, in milliseconds; 0: once. */
  wait?: number;
}

/**
 * One job per area over all hosts: Redlock over independent Redis servers. It is advisory, it keeps honest workers
 * from wasting work; what makes a commit safe is the fence in the databases.
 *
 * Redlock's own retries, `using()` and errors are kept behind this file and held-lock.ts: its retries spoil the expiry it
 * reports, `using()` aborts only after the lock has expired, and one error class stands for contention and outage.
 *
 * Connections to the lock servers, and the locks taken over them.
 */
export class AreaLocks {
  readonly #clients: Redis[];
  readonly #urls: readonly string[];
  /** The last error of each server's connection. */
  readonly #errors = new Map<Redis, Error>();
  readonly #redlock: Redlock;
  #taken: HeldLock[] = [];

  /** @throws JobsError `bad-settings` for a URL that is none; nothing is opened then */
  constructor(urls: readonly string[]) {
    for (const url of urls) redisPlace(url);
    this.#urls = urls;
    this.#clients = urls.map((url) => {
      const client = lockClient(url, (error) => this.#errors.set(client, error));
      client.on("ready", () => this.#errors.delete(client));
      return client;
    });
    this.#redlock = new Redlock(this.#clients, { retryCount: 2, retryDelay: 100, retryJitter: 20 });
  }

  /** How many are held; one that was handed over is not. */
  get held(): number {
    this.#taken = this.#taken.filter(({ isHeld }) => isHeld);
    return this.#taken.length;
  }

  /** @param asked `performance.now()` before the servers were asked: the lock stands for `ttl` from then on at least */
  #keep({ resources, value }: Lock, asked: number, owner: LockOwner, ttl: number): AreaLock {
    const held = new HeldLock({
      redlock: this.#redlock,
      ownerClient: this.#clients[0],
      resources,
      value,
      asked,
      owner,
      ttl,
    });
    this.#taken = [...this.#taken.filter(({ isHeld }) => isHeld), held];
    return held;
  }

  /**
   * Takes all of `keys` or none. Rejects with `locked` where another holds one, with `redis-unreachable`
   * where no quorum of servers answers.
   */
  async acquire(keys: string[], owner: LockOwner, options: AreaLockOptions = {}): Promise<AreaLock> {
    const { ttl = 10_000, wait = 1500 } = options;
    const deadline = performance.now() + wait;
    for (;;) {
      const asked = performance.now();
      try {
        // Never Redlock's own retries here: it would count the wait for the lock as part of the lock's life.
        const lock = await this.#redlock.acquire(keys, ttl, { retryCount: 0 });
        // A server that hung may have answered when the lock was over.
        if (performance.now() - asked < ttl) return this.#keep(lock, asked, owner, ttl);
      } catch (error) {
        if (performance.now() >= deadline) throw await this.#explain(error, keys);
      }
      await sleep(100 + Math.random() * 100);
    }
  }

  /**
   * Goes on with a lock that another process handed over, also where an outage has lost the value that it told; where it
   * has run out, or Redis has lost it, takes it anew. Rejects as `acquire` does.
   */
  async adopt(keys: string[], value: string | undefined, owner: LockOwner, ttl = 10_000): Promise<AreaLock> {
    const handed = value === undefined ? undefined : await this.#extend(keys, value, owner, ttl);
    if (handed !== undefined) return handed;
    const own = await this.#valueOf(keys, owner.jobId);
    const found = own === undefined ? undefined : await this.#extend(keys, own, owner, ttl);
    return found ?? (await this.acquire(keys, owner, { ttl }));
  }

  /** undefined where too few servers have the lock with this value. */
  async #extend(keys: string[], value: string, owner: LockOwner, ttl: number): Promise<AreaLock | undefined> {
    const asked = performance.now();
    try {
      const lock = await this.#redlock.extend(lockOf(this.#redlock, keys, value), ttl, { retryCount: 0 });
      return this.#keep(lock, asked, owner, ttl);
    } catch (error) {
      if (!(error instanceof ExecutionError)) throw error;
      return undefined;
    }
  }

  /** The value under which a job of that id holds the lock, in whichever process. */
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
        hint: "it is tried again by itself when the other has finished",
        details: { ...owner },
        cause: error,
      });
    }
    const silent = await this.#silent(error);
    const which = silent.length === 0 ? "" : `: ${silent.join(", ")}`;
    return new JobsError("redis-unreachable", `too few of the lock servers answer${which}`, {
      hint: "see MTJOBS_LOCK_REDIS_URLS; more than half of them must be up",
      cause: error,
    });
  }

  /** The servers that gave no vote, each with what Redis or the network says. */
  async #silent(error: unknown): Promise<string[]> {
    const votes = await votesAgainst(error);
    return this.#clients.flatMap((client, index) => {
      const vote = votes.get(client);
      if (vote === undefined) return [];
      // A refused login is told of the connection; the commands after it say that there was none.
      const cause =
        isReply(vote) && !isReply(this.#errors.get(client)) ? vote : (this.#errors.get(client) ?? vote);
      return `${withoutPassword(this.#urls[index] ?? "")} (${outageReason(cause)})`;
    });
  }

  async #owner(keys: string[]): Promise<LockOwner | undefined> {
    const [first] = this.#clients;
    if (first === undefined) return undefined;
    // Only tells who it is; the answer to "is it held" is known already.
    return await readLockOwner(first, keys).catch(() => undefined);
  }

  /** Ends the connections; locks still held run out. */
  close(): void {
    for (const client of this.#clients) client.disconnect();
  }
}
