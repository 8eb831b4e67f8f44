import type { Redis } from "ioredis";
import { redisKey } from "./names.ts";

/** Since when a host takes no new area, and who said so. */
export interface Drained {
  /** ISO 8601, by the clock of whoever said so. */
  at: string;
  /** `user@host` */
  by: string;
}

const drainedKey = (prefix: string) => redisKey(prefix, "drained");

/** Says that `host` takes no new area. One that is drained already stays as it was noted first. */
export async function setDrained(redis: Redis, prefix: string, host: string, by: string): Promise<void> {
  const drained: Drained = { at: new Date().toISOString(), by };
  await redis.hsetnx(drainedKey(prefix), host, JSON.stringify(drained));
}

/** Says that `host` takes areas again. @returns whether it was drained */
export async function clearDrained(redis: Redis, prefix: string, host: string): Promise<boolean> {
  return (await redis.hdel(drainedKey(prefix), host)) > 0;
}

/** The hosts that take no new area, by name. */
export async function listDrained(redis: Redis, prefix: string): Promise<Map<string, Drained>> {
  const noted = Object.entries(await redis.hgetall(drainedKey(prefix)));
  return new Map(noted.map(([host, text]) => [host, JSON.parse(text) as Drained]));
}
