import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import { redisKey } from "./names.ts";

/** Who holds an area, as `status` shows it. */
export interface LockOwner {
  host: string;
  pid: number;
  jobId: string;
  /** ISO 8601. */
  since: string;
}

/**
 * The keys one job locks: the area's real path, and its id where it has one already. The id keeps hosts apart that
 * mount the area elsewhere; the path keeps apart the first two jobs, which come before the id exists.
 */
export function areaLockKeys(prefix: string, area: { realPath: string; areaId: string | null }): string[] {
  const path = createHash("sha256").update(area.realPath).digest("hex").slice(0, 32);
  const keys = [redisKey(prefix, "area-lock", `path-${path}`)];
  return [...keys, ...areaIdLockKeys(prefix, area.areaId)];
}

/** What a migration locks, whose hosts may mount the area at different paths; its id was made before. */
export function areaIdLockKeys(prefix: string, areaId: string | null): string[] {
  return areaId === null ? [] : [redisKey(prefix, "area-lock", `id-${areaId}`)];
}

/** Where the holder of `lockKey` writes who it is; on the first lock server, with the lock's own expiry. */
export function lockOwnerKey(lockKey: string): string {
  return `${lockKey}:owner`;
}

/** Who holds one of `lockKeys`, or undefined; `redis` is a client of the first lock server. */
export async function readLockOwner(redis: Redis, lockKeys: string[]): Promise<LockOwner | undefined> {
  for (const key of lockKeys) {
    const [lock, owner] = await redis.mget(key, lockOwnerKey(key));
    if (lock != null && owner != null) return JSON.parse(owner) as LockOwner;
  }
  return undefined;
}
