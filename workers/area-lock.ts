import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import Redlock, { ExecutionError, Lock, ResourceLockedError } from "redlock";
import { JobsError } from "../shared/errors.ts";
import { type LockOwner, lockOwnerKey, readLockOwner } from "../shared/queue/area-lock-key.ts";
import { lockClient } from "../shared/queue/connections.ts";

/**
 * One job per area over all hosts: Redlock over independent Redis servers. It is advisory, it keeps honest workers
 * from wasting work; what makes a commit safe is the fence in the databases.
 *
 * Redlock's own retries, `using()` and errors are kept behind this file: its retries spoil the expiry it
 * reports, `using()` aborts only after the lock has expired, and one error class stands for contention and outage.
 */
export interface AreaLock {
  /** Aborted (`lost-lease`) before the lock expires without us, or once somebody else has it. */
  readonly signal: AbortSignal;
  /** Never rejects: what cannot be released expires by itself. */
  release(): Promise<void>;
  /**
   * Stops renewing it and leaves it standing for `ms`, for whoever adopts it by the value returned. Never rejects: where
   * the servers do not answer it stands for what is left of its life.
   */
  handOver(ms: number): Promise<string>;
}

export interface AreaLockOptions {
  /** How long a lock stands without renewal, in milliseconds. */
  ttl?: number;
  /** How long to try before giving up, in milliseconds; 0: once. */
  wait?: number;
}

/** Connections to the lock servers, and the locks taken over them. */
export class AreaLocks {
  readonly #clients: Redis[];
  readonly #redlock: Redlock;
  #taken: HeldLock[] = [];

  constructor(urls: string[]) {
    this.#clients = urls.map(lockClient);
    this.#redlock = new Redlock(this.#clients, { retryCount: 2, retryDelay: 100, retryJitter: 20 });
  }

  /** How many are held; one that was handed over is not. */
  get held(): number {
    this.#taken = this.#taken.filter(({ isHeld }) => isHeld);
    return this.#taken.length;
  }

  #keep(lock: Lock, owner: LockOwner, ttl: number): AreaLock {
    const held = new HeldLock(this.#redlock, this.#clients[0], lock, owner, ttl);
    this.#taken = [...this.#taken.filter(({ isHeld }) => isHeld), held];
    return held;
  }

  /**
   * Takes all of `keys` or none. Rejects with `locked` where another holds one, with `redis-unreachable`
   * where no quorum of servers answers.
   */
  async acquire(keys: string[], owner: LockOwner, options: AreaLockOptions = {}): Promise<AreaLock> {
    const { ttl = 10_000, wait = 1500 } = options;
    const deadline = Date.now() + wait;
    for (;;) {
      try {
        // Never Redlock's own retries here: it would count the wait for the lock as part of the lock's life.
        const lock = await this.#redlock.acquire(keys, ttl, { retryCount: 0 });
        // A server that hung may have answered when the lock was over.
        if (lock.expiration > Date.now()) return this.#keep(lock, owner, ttl);
      } catch (error) {
        if (Date.now() >= deadline) throw await this.#explain(error, keys);
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
    // How long it stands only the servers know: each extends it only where it has this very value.
    const handed = new Lock(this.#redlock, keys, value, [], Date.now() + ttl);
    try {
      const lock = await this.#redlock.extend(handed, ttl, { retryCount: 0 });
      return this.#keep(lock, owner, ttl);
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
    return new JobsError("redis-unreachable", "too few of the lock servers answer", {
      hint: "see MTJOBS_LOCK_REDIS_URLS; more than half of them must be up",
      cause: error,
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

/** True where enough servers said that somebody else has it; false for an outage. */
async function isContention(error: unknown): Promise<boolean> {
  if (!(error instanceof ExecutionError)) return false;
  const stats = await error.attempts.at(-1);
  if (stats === undefined) return false;
  return [...stats.votesAgainst.values()].some((vote) => vote instanceof ResourceLockedError);
}

/** A lock in hand, renewed at a third of its life, given up a little before its end. */
class HeldLock implements AreaLock {
  readonly #redlock: Redlock;
  readonly #ownerClient: Redis | undefined;
  readonly #owner: LockOwner;
  readonly #ttl: number;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #lock: Lock;
  #renewing: Promise<void> | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #released = false;

  constructor(redlock: Redlock, ownerClient: Redis | undefined, lock: Lock, owner: LockOwner, ttl: number) {
    this.#redlock = redlock;
    this.#ownerClient = ownerClient;
    this.#lock = lock;
    this.#owner = owner;
    this.#ttl = ttl;
    this.#watch();
    this.#writeOwner();
    this.#timer = setInterval(() => {
      this.#renewing ??= this.#renew().finally(() => {
        this.#renewing = undefined;
      });
    }, ttl / 3);
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  get isHeld(): boolean {
    return !this.#released && !this.signal.aborted;
  }

  async #renew(): Promise<void> {
    try {
      this.#lock = await this.#redlock.extend(this.#lock, this.#ttl);
      if (this.#released || this.signal.aborted) return;
      this.#watch();
      this.#writeOwner();
    } catch (error) {
      // After an outage the lock still stands until it expires, and the next renewal may get through.
      if (await isContention(error)) this.#giveUp(error);
    }
  }

  /** (Re)starts the clock that ends our trust in the lock before the servers' clocks do. */
  #watch(): void {
    clearTimeout(this.#watchdog);
    const left = this.#lock.expiration - Date.now() - this.#ttl / 10;
    this.#watchdog = setTimeout(() => this.#giveUp(), Math.max(0, left));
  }

  #giveUp(cause?: unknown): void {
    if (this.#released) return;
    this.#stopTimers();
    this.#lost.abort(
      new JobsError("lost-lease", "the lock on the area was lost", {
        hint: "the job is tried again by itself; see whether the lock servers stay up",
        ...(cause === undefined ? {} : { cause }),
      }),
    );
  }

  #writeOwner(ms = this.#ttl): void {
    for (const key of this.#lock.resources) {
      // For people to read; the lock does not depend on it.
      this.#ownerClient?.set(lockOwnerKey(key), JSON.stringify(this.#owner), "PX", ms).catch(() => {});
    }
  }

  #stopTimers(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#watchdog);
  }

  async handOver(ms: number): Promise<string> {
    const { value } = this.#lock;
    if (this.#released) return value;
    this.#released = true;
    this.#stopTimers();
    await this.#renewing;
    try {
      this.#lock = await this.#redlock.extend(this.#lock, ms, { retryCount: 0 });
      this.#writeOwner(ms);
    } catch {
      // Whoever adopts it takes it anew.
    }
    return value;
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.#stopTimers();
    await this.#renewing;
    try {
      await this.#redlock.release(this.#lock, { retryCount: 0 });
      await this.#ownerClient?.del(this.#lock.resources.map(lockOwnerKey));
    } catch {
      // It expires by itself within the ttl.
    }
  }
}
