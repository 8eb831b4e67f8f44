import type { Redis } from "ioredis";
import type Redlock from "redlock";
import { ExecutionError, type Lock, ResourceLockedError } from "redlock";
import { JobsError } from "../shared/errors.ts";
import { type LockOwner, lockOwnerKey } from "../shared/queue/area-lock-key.ts";

/** A lock on an area, as whoever works there has it. */
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

/** True where enough servers said that somebody else has it; false for an outage. */
export async function isContention(error: unknown): Promise<boolean> {
  if (!(error instanceof ExecutionError)) return false;
  const stats = await error.attempts.at(-1);
  if (stats === undefined) return false;
  return [...stats.votesAgainst.values()].some((vote) => vote instanceof ResourceLockedError);
}

/** A lock in hand, renewed at a third of its life, given up a little before its end. */
export class HeldLock implements AreaLock {
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
