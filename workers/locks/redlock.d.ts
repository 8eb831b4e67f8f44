// redlock 5.0.0-beta.2 ships types that its exports map hides; this declares the part used here.
declare module "redlock" {
  import type { Redis } from "ioredis";

  export interface ExecutionStats {
    readonly quorumSize: number;
    readonly votesAgainst: Map<Redis, Error>;
  }
  export class ResourceLockedError extends Error {}
  export class ExecutionError extends Error {
    readonly attempts: readonly Promise<ExecutionStats>[];
  }
  export class Lock {
    constructor(
      redlock: Redlock,
      resources: string[],
      value: string,
      attempts: readonly Promise<ExecutionStats>[],
      expiration: number,
    );
    readonly value: string;
    readonly resources: string[];
    /** Ms since 1970; 0 once released or replaced. */
    expiration: number;
  }
  export interface RedlockSettings {
    retryCount: number;
    retryDelay: number;
    retryJitter: number;
  }
  export default class Redlock {
    constructor(clients: Iterable<Redis>, settings?: Partial<RedlockSettings>);
    acquire(resources: string[], duration: number, settings?: Partial<RedlockSettings>): Promise<Lock>;
    extend(lock: Lock, duration: number, settings?: Partial<RedlockSettings>): Promise<Lock>;
    release(lock: Lock, settings?: Partial<RedlockSettings>): Promise<unknown>;
  }
}
