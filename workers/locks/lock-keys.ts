import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import { redisKey } from "../../shared/queue/names.ts";

/** As shown by `status`. */
export interface LockOwner {
  host: string;
  pid: number;
  jobId: string;
  /** ISO 8601. */
  since: string;
}

/**
 * Returns keys of the path and, if it exists, the id. The id excludes hosts that mount the area elsewhere; the path
 * excludes concurrent first jobs, before the id exists.
 */
export function areaLockKeys(prefix: string, area: { realPath: string; areaId: string | null }): string[] {
  const path = createHash("sha256").update(area.realPath).digest("hex").slice(0, 32);
  const keys = [redisKey(prefix, "area-lock", `path-${path}`)];
  return [...keys, ...areaIdLockKeys(prefix, area.areaId)];
}

/** Returns only the key of the id, because a migration's hosts may mount the area at different paths. */
export function areaIdLockKeys(prefix: string, areaId: string | null): string[] {
  return areaId === null ? [] : [redisKey(prefix, "area-lock", `id-${areaId}`)];
}

/** Names the holder's record on the first lock server, with the lock's expiry. */
export function lockOwnerKey(lockKey: string): string {
  return `${lockKey}:owner`;
}

/** Returns the holder of one of the keys; `redis` is a client of the first lock server. */
export async function readLockOwner(redis: Redis, lockKeys: string[]): Promise<LockOwner | undefined> {
  for (const key of lockKeys) {
    const [lock, owner] = await redis.mget(key, lockOwnerKey(key));
    if (lock != null && owner != null) return JSON.parse(owner) as LockOwner;
  }
  return undefined;
}
