import type { Redis } from "ioredis";
import { redisKey } from "./names.ts";

/** A drained host accepts no new areas. */
export interface Drained {
  /** ISO 8601, by the requester's clock. */
  at: string;
  /** `user@host` */
  by: string;
}

const drainedKey = (prefix: string) => redisKey(prefix, "drained");

/** Marks a host as drained; keeps an earlier mark. */
export async function setDrained(redis: Redis, prefix: string, host: string, by: string): Promise<void> {
  const drained: Drained = { at: new Date().toISOString(), by };
  await redis.hsetnx(drainedKey(prefix), host, JSON.stringify(drained));
}

/** Returns whether the host was drained. */
export async function clearDrained(redis: Redis, prefix: string, host: string): Promise<boolean> {
  return (await redis.hdel(drainedKey(prefix), host)) > 0;
}

export async function listDrained(redis: Redis, prefix: string): Promise<Map<string, Drained>> {
  const noted = Object.entries(await redis.hgetall(drainedKey(prefix)));
  return new Map(noted.map(([host, text]) => [host, JSON.parse(text) as Drained]));
}
