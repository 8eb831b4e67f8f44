import { hostname } from "node:os";
import type { Redis } from "ioredis";
import type { Drained, HostRecord, HostStatus } from "../contract/queue-records.ts";
import { processStart } from "../lease/holder.ts";
import { processSpace } from "../process.ts";
import { homeName } from "../settings/home-name.ts";
import { deleteIfEqual } from "./delete-if-equal.ts";
import { redisKey } from "./names.ts";

/** Interval of announcements, ms. */
export const heartbeatInterval = 3000;
/** How long an announcement is valid, ms; measured by Redis, so clocks may differ. */
const aliveFor = 12_000;

const hostsKey = (prefix: string) => redisKey(prefix, "hosts");
const aliveKey = (prefix: string, host: string) => redisKey(prefix, "alive", host);

/** What the announcement says of the process behind it. */
export interface Announcement {
  pid: number;
  /** In clock ticks since boot, 0 if unknown; missing if an earlier version wrote it. Tells processes of one number apart. */
  start?: number;
  startedAt: string;
  machine: string;
  /** Equal only for processes that see each other's pids. */
  space: string;
}

/** Read once: a machine that gets another name is no other worker. */
let here: Pick<Announcement, "start" | "machine" | "space"> | undefined;

function announcementOf({ pid, startedAt }: HostRecord): string {
  here ??= { start: processStart(process.pid), machine: hostname(), space: processSpace() };
  return JSON.stringify({ pid, startedAt, ...here } satisfies Announcement);
}

const seenNow = (record: HostRecord) => JSON.stringify({ ...record, seenAt: new Date().toISOString() });

/** Announces a worker, whichever other one of its host has announced itself. */
export async function announceHost(redis: Redis, prefix: string, record: HostRecord): Promise<void> {
  await redis.hset(hostsKey(prefix), record.host, seenNow(record));
  await redis.set(aliveKey(prefix, record.host), announcementOf(record), "PX", aliveFor);
}

/** In one step: another worker may announce itself at any moment. */
const setUnlessOther = `
local other = redis.call("get", KEYS[1])
if other and other ~= ARGV[1] then return { other, redis.call("pttl", KEYS[1]) } end
redis.call("set", KEYS[1], ARGV[1], "PX", ARGV[2])
redis.call("hset", KEYS[2], ARGV[3], ARGV[4])
return {}`;

/**
 * Announces a worker that is to be the only one of its host, unless another one has taken over, as happens if this one
 * was stopped or cut off for longer than its announcement is valid; returns that one.
 */
export async function announceAlone(
  redis: Redis,
  prefix: string,
  record: HostRecord,
): Promise<OtherWorker | undefined> {
  const keys = [aliveKey(prefix, record.host), hostsKey(prefix)];
  const values = [announcementOf(record), aliveFor, record.host, seenNow(record)];
  const [other, leftMs] = (await redis.eval(setUnlessOther, 2, ...keys, ...values)) as [string?, number?];
  return other === undefined ? undefined : { announcement: readAnnouncement(other), leftMs: leftMs ?? 0 };
}

/** Another worker's announcement of the same host. */
export interface OtherWorker {
  /** Undefined if an earlier version wrote it. */
  announcement: Announcement | undefined;
  /** Ms until it expires; a live worker renews it. */
  leftMs: number;
}

/** Announces that this process serves the host, unless another does; returns that one. */
export async function claimHost(
  redis: Redis,
  prefix: string,
  record: HostRecord,
): Promise<OtherWorker | undefined> {
  const key = aliveKey(prefix, record.host);
  if ((await redis.set(key, announcementOf(record), "PX", aliveFor, "NX")) === "OK") return undefined;
  const [text, leftMs] = [await redis.get(key), await redis.pttl(key)];
  // It expired in between: the next call may find it free.
  if (text === null) return { announcement: undefined, leftMs: 0 };
  return text === announcementOf(record) ? undefined : { announcement: readAnnouncement(text), leftMs };
}

function readAnnouncement(text: string): Announcement | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "space" in value
      ? (value as Announcement)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Withdraws the announcement of a process of this machine that is known to be dead; a worker that has started since keeps its own. */
export async function withdrawDead(
  redis: Redis,
  prefix: string,
  host: string,
  dead: Announcement,
): Promise<void> {
  await deleteIfEqual(redis, aliveKey(prefix, host), JSON.stringify(dead));
}

/** Withdraws the announcement, not the record; another worker of the host is unaffected. */
export async function withdrawHost(redis: Redis, prefix: string, record: HostRecord): Promise<void> {
  await deleteIfEqual(redis, aliveKey(prefix, record.host), announcementOf(record));
}

/** Removes a host's record and its mark as drained. Returns which there were. */
export async function removeHost(
  redis: Redis,
  prefix: string,
  host: string,
): Promise<{ record: boolean; drained: boolean }> {
  const record = (await redis.hdel(hostsKey(prefix), host)) > 0;
  return { record, drained: await clearDrained(redis, prefix, host) };
}

/** Returns empty if invalid. Drops an address that is not valid in `.homehost`. */
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

/** Returns every host that ever had a worker, by name. */
export async function listHosts(redis: Redis, prefix: string): Promise<HostStatus[]> {
  const records = Object.values(await redis.hgetall(hostsKey(prefix)))
    .flatMap(readRecord)
    .sort((a, b) => (a.host < b.host ? -1 : 1));
  if (records.length === 0) return [];
  const alive = await redis.mget(records.map((record) => aliveKey(prefix, record.host)));
  return records.map((record, index) => ({ ...record, alive: alive[index] !== null }));
}

/** Finds a host by name or address, preferably an alive one. */
export function hostNamed(hosts: readonly HostStatus[], homehost: string): HostStatus | undefined {
  const named = hosts.filter(({ host, address }) => host === homehost || address === homehost);
  return named.find(({ alive }) => alive) ?? named[0];
}

/** Names the hosts that have a live worker, for a hint: `hosta (10.0.0.1), hostb`. */
export function aliveHostsText(hosts: readonly HostStatus[]): string {
  const alive = hosts.filter((each) => each.alive);
  if (alive.length === 0) return "no host has a worker now";
  const names = alive.map(({ host, address }) => (address === null ? host : `${host} (${address})`));
  return `hosts with a worker: ${names.join(", ")}`;
}

export async function findHost(
  redis: Redis,
  prefix: string,
  homehost: string,
): Promise<HostStatus | undefined> {
  return hostNamed(await listHosts(redis, prefix), homehost);
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
