import type { Redis } from "ioredis";
import { homeName } from "../home-name.ts";
import { redisKey } from "./names.ts";

/** What a host's worker tells the others about itself. */
export interface HostRecord {
  host: string;
  /** What it writes into `.homehost`; null where it has none but loopback. */
  address: string | null;
  version: string;
  pid: number;
  user: string;
  cacheRoot: string;
  areas: string[];
  /** ISO 8601. */
  startedAt: string;
}

export interface HostStatus extends HostRecord {
  /** When the record was last written, ISO 8601, by the host's own clock. */
  seenAt: string;
  /** A worker of that host gave a sign of life within `aliveFor`. */
  alive: boolean;
}

/** How often a worker announces itself, in milliseconds. */
export const heartbeatInterval = 3000;
/** How long one announcement counts, in milliseconds; measured by Redis, so clocks may differ. */
const aliveFor = 12_000;

const hostsKey = (prefix: string) => redisKey(prefix, "hosts");
const aliveKey = (prefix: string, host: string) => redisKey(prefix, "alive", host);

/** Says that `record.host` is served, for the next `aliveFor` milliseconds. */
export async function announceHost(redis: Redis, prefix: string, record: HostRecord): Promise<void> {
  const seen = JSON.stringify({ ...record, seenAt: new Date().toISOString() });
  await redis.hset(hostsKey(prefix), record.host, seen);
  await redis.set(aliveKey(prefix, record.host), String(record.pid), "PX", aliveFor);
}

/** Says that this worker has gone; what it told stays known. Another worker of the host is left alone. */
export async function withdrawHost(redis: Redis, prefix: string, record: HostRecord): Promise<void> {
  const key = aliveKey(prefix, record.host);
  if ((await redis.get(key)) === String(record.pid)) await redis.del(key);
}

/** Nothing for what is no host's record; without an address where it is one that no `.homehost` may hold. */
function readRecord(text: string): (HostRecord & { seenAt: string })[] {
  try {
    const record = JSON.parse(text) as HostRecord & { seenAt: string };
    if (typeof record.host !== "string" || !homeName.test(record.host)) return [];
    const { address } = record;
    const isAddress = typeof address === "string" && homeName.test(address);
    return [{ ...record, address: isAddress ? address : null }];
  } catch {
    return [];
  }
}

/** Every host that ever had a worker here, by name. */
export async function listHosts(redis: Redis, prefix: string): Promise<HostStatus[]> {
  const records = Object.values(await redis.hgetall(hostsKey(prefix)))
    .flatMap(readRecord)
    .sort((a, b) => (a.host < b.host ? -1 : 1));
  if (records.length === 0) return [];
  const alive = await redis.mget(records.map((record) => aliveKey(prefix, record.host)));
  return records.map((record, index) => ({ ...record, alive: alive[index] !== null }));
}

/**
 * Of `hosts` the one that a `.homehost` names, by host name or by address; one that is alive first. Undefined where no
 * worker ever called itself that.
 */
export function hostNamed(hosts: readonly HostStatus[], homehost: string): HostStatus | undefined {
  const named = hosts.filter(({ host, address }) => host === homehost || address === homehost);
  return named.find(({ alive }) => alive) ?? named[0];
}

/** `hostNamed` of all hosts. */
export async function findHost(
  redis: Redis,
  prefix: string,
  homehost: string,
): Promise<HostStatus | undefined> {
  return hostNamed(await listHosts(redis, prefix), homehost);
}
