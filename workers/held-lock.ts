import type { Redis } from "ioredis";
import type Redlock from "redlock";
import type { RedlockSettings } from "redlock";
import { ExecutionError, Lock, ResourceLockedError } from "redlock";
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

/** The servers that did not give the lock at the last try, each with its reason; none for another error. */
export async function votesAgainst(error: unknown): Promise<Map<Redis, Error>> {
  if (!(error instanceof ExecutionError)) return new Map();
  return (await error.attempts.at(-1))?.votesAgainst ?? new Map();
}

/** True where enough servers said that somebody else has it; false for an outage. */
export async function isContention(error: unknown): Promise<boolean> {
  return [...(await votesAgainst(error)).values()].some((vote) => vote instanceof ResourceLockedError);
}

/** A lock that is about to be extended. How long it stands only the servers know: each extends what has this very value. */
export function lockOf(redlock: Redlock, resources: string[], value: string): Lock {
  // Redlock refuses to extend what has run out by the host's clock, which may have been set meanwhile.
  return new Lock(redlock, resources, value, [], Number.MAX_SAFE_INTEGER);
}

export interface HeldLockOptions {
  redlock: Redlock;
  ownerClient: Redis | undefined;
  resources: string[];
  /** The value under which the servers have it. */
  value: string;
  /** `performance.now()` before the servers were asked for it. */
  asked: number;
  owner: LockOwner;
  /** Ms that it stands without renewal. */
  ttl: number;
}

/** A lock in hand, renewed at a third of its life, given up a little before its end. */
export class HeldLock implements AreaLock {
  readonly #with: HeldLockOptions;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #asked: number;
  #renewing: Promise<void> | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #released = false;

  constructor(options: HeldLockOptions) {
    this.#with = options;
    this.#asked = options.asked;
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
      const asked = performance.now();
      await this.#extend(this.#with.ttl);
      this.#asked = asked;
      if (this.#released || this.signal.aborted) return;
      this.#watch();
      this.#writeOwner();
    } catch (error) {
      // After an outage the lock still stands until it expires, and the next renewal may get through.
      if (await isContention(error)) this.#giveUp(error);
    }
  }

  async #extend(ms: number, settings?: Partial<RedlockSettings>): Promise<void> {
    const { redlock, resources, value } = this.#with;
    await redlock.extend(lockOf(redlock, resources, value), ms, settings);
  }

  /** (Re)starts the clock that ends our trust in the lock before the servers' clocks do. */
  #watch(): void {
    clearTimeout(this.#watchdog);
    const left = this.#asked + 0.9 * this.#with.ttl - performance.now();
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
      const { redlock, resources, value, ownerClient } = this.#with;
      await redlock.release(lockOf(redlock, resources, value), { retryCount: 0 });
      await ownerClient?.del(resources.map(lockOwnerKey));
    } catch {
      // It expires by itself within the ttl.
    }
  }
}
