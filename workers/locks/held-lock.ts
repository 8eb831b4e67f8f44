import type { Redis } from "ioredis";
import type Redlock from "redlock";
import type { RedlockSettings } from "redlock";
import { ExecutionError, Lock, ResourceLockedError } from "redlock";
import { JobsError } from "../../shared/errors.ts";
import { type LockOwner, lockOwnerKey } from "./lock-keys.ts";

/** A lock on an area, held by this process. */
export interface AreaLock {
  /** Aborted (`lost-lease`) before the lock expires, or once another process holds it. */
  readonly signal: AbortSignal;
  /** Never rejects: a lock that cannot be released expires. */
  release(): Promise<void>;
  /**
   * Stops renewing and leaves the lock for `ms`, for a process that adopts it by the returned value. Never rejects:
   * without an answer from the servers the lock lasts for the rest of its life.
   */
  handOver(ms: number): Promise<string>;
}

/** Returns the servers that refused the lock at the last attempt, with their reasons; none for another error. */
export async function votesAgainst(error: unknown): Promise<Map<Redis, Error>> {
  if (!(error instanceof ExecutionError)) return new Map();
  return (await error.attempts.at(-1))?.votesAgainst ?? new Map();
}

/** Returns true if enough servers report another holder; false for an outage. */
export async function isContention(error: unknown): Promise<boolean> {
  return [...(await votesAgainst(error)).values()].some((vote) => vote instanceof ResourceLockedError);
}

/** Builds a lock to extend. Only the servers know its expiry: each extends the key if it has this value. */
export function lockOf(redlock: Redlock, resources: string[], value: string): Lock {
  // Redlock refuses to extend a lock that has expired by the host's clock, which may have been changed.
  return new Lock(redlock, resources, value, [], Number.MAX_SAFE_INTEGER);
}

export interface HeldLockOptions {
  redlock: Redlock;
  ownerClient: Redis | undefined;
  resources: string[];
  /** The lock's value on the servers. */
  value: string;
  /** `performance.now()` before the request. */
  requestedAt: number;
  owner: LockOwner;
  /** Lifetime without renewal, ms. */
  ttl: number;
}

/** A held lock, renewed at a third of its life, and given up shortly before its end. */
export class HeldLock implements AreaLock {
  readonly #with: HeldLockOptions;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #requestedAt: number;
  #renewing: Promise<void> | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #released = false;

  constructor(options: HeldLockOptions) {
    this.#with = options;
    this.#requestedAt = options.requestedAt;
    this.#watch();
    this.#writeOwner();
    this.#timer = setInterval(() => {
      this.#renewing ??= this.#renew().finally(() => {
        this.#renewing = undefined;
      });
    }, options.ttl / 3);
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  get isHeld(): boolean {
    return !this.#released && !this.signal.aborted;
  }

  async #renew(): Promise<void> {
    try {
      const requestedAt = performance.now();
      await this.#extend(this.#with.ttl);
      this.#requestedAt = requestedAt;
      if (this.#released || this.signal.aborted) return;
      this.#watch();
      this.#writeOwner();
    } catch (error) {
      // After an outage the lock is valid until it expires, and the next renewal may succeed.
      if (await isContention(error)) this.#giveUp(error);
    }
  }

  async #extend(ms: number, settings?: Partial<RedlockSettings>): Promise<void> {
    const { redlock, resources, value } = this.#with;
    await redlock.extend(lockOf(redlock, resources, value), ms, settings);
  }

  /** Restarts the timer that gives the lock up before the servers expire it. */
  #watch(): void {
    clearTimeout(this.#watchdog);
    const left = this.#requestedAt + 0.9 * this.#with.ttl - performance.now();
    this.#watchdog = setTimeout(() => this.#giveUp(), Math.max(0, left));
  }

  #giveUp(cause?: unknown): void {
    if (this.#released) return;
    this.#stopTimers();
    this.#lost.abort(
      new JobsError("lost-lease", "the lock on the area was lost", {
        hint: "the job is retried automatically; check that the lock servers stay up",
        cause,
      }),
    );
  }

  #writeOwner(ms = this.#with.ttl): void {
    const { ownerClient, owner, resources } = this.#with;
    for (const key of resources) {
      // For people to read; the lock does not depend on it.
      ownerClient?.set(lockOwnerKey(key), JSON.stringify(owner), "PX", ms).catch(() => {});
    }
  }

  #stopTimers(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#watchdog);
  }

  async handOver(ms: number): Promise<string> {
    const { value } = this.#with;
    if (this.#released) return value;
    this.#released = true;
    this.#stopTimers();
    await this.#renewing;
    try {
      await this.#extend(ms, { retryCount: 0 });
      this.#writeOwner(ms);
    } catch {
      // The adopting process acquires it again.
    }
    return value;
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.#stopTimers();
    await this.#renewing;
    try {
      const { redlock, resources, value, ownerClient } = this.#with;
      await redlock.release(lockOf(redlock, resources, value), { retryCount: 0 });
      await ownerClient?.del(resources.map(lockOwnerKey));
    } catch {
      // It expires within the ttl.
    }
  }
}
