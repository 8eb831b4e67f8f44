import { expect, test } from "vitest";
import type { HostRecord } from "../../../shared/contract/queue-records.ts";
import { announceHost, findHost, listHosts, withdrawHost } from "../../../shared/queue/hosts.ts";
import { withRedis } from "../../support/queue.ts";

const record = (host: string, address: string, pid = 1): HostRecord => ({
  host,
  address,
  version: "0.1.0",
  pid,
  user: "me",
  cacheRoot: "/tmp",
  areas: ["/areas"],
  startedAt: "2026-01-01T00:00:00.000Z",
});

test("hosts are found by name or address, the living first, and listed by name", () =>
  withRedis(async (redis, prefix) => {
    expect(await listHosts(redis, prefix)).toEqual([]);
    await announceHost(redis, prefix, record("hostB", "10.0.0.2"));
    await announceHost(redis, prefix, record("hostA", "10.0.0.2"));
    await withdrawHost(redis, prefix, record("hostA", "10.0.0.2"));
    expect((await listHosts(redis, prefix)).map(({ host, alive }) => [host, alive])).toEqual([
      ["hostA", false],
      ["hostB", true],
    ]);
    expect((await findHost(redis, prefix, "10.0.0.2"))?.host).toBe("hostB");
    expect((await findHost(redis, prefix, "hostA"))?.alive).toBe(false);
    expect(await findHost(redis, prefix, "hostC")).toBeUndefined();
  }));

test("a worker that leaves does not announce the end of its twin on the host", () =>
  withRedis(async (redis, prefix) => {
    await announceHost(redis, prefix, record("hostA", "10.0.0.1", 1));
    await announceHost(redis, prefix, record("hostA", "10.0.0.1", 2));
    await withdrawHost(redis, prefix, record("hostA", "10.0.0.1", 1));
    expect((await findHost(redis, prefix, "hostA"))?.alive).toBe(true);
  }));

test("an announcement expires", () =>
  withRedis(async (redis, prefix) => {
    await announceHost(redis, prefix, record("hostA", "10.0.0.1"));
    const left = await redis.pttl(`${prefix}:alive:hostA`);
    expect(left).toBeGreaterThan(5000);
    expect(left).toBeLessThanOrEqual(12_000);
  }));

test("a record that some other program left, or an address that no .homehost may hold, names no host", () =>
  withRedis(async (redis, prefix) => {
    await announceHost(redis, prefix, record("hostA", "10.0.0.2/24"));
    await announceHost(redis, prefix, record("host b", "10.0.0.3"));
    await redis.hset(`${prefix}:hosts`, "x", "no JSON", "y", "null");
    expect((await listHosts(redis, prefix)).map(({ host, address }) => [host, address])).toEqual([
      ["hostA", null],
    ]);
    expect(await findHost(redis, prefix, "10.0.0.2/24")).toBeUndefined();
  }));
