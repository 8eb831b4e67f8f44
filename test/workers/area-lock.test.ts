import { expect, test, vi } from "vitest";
import { AreaLocks } from "../../workers/locks/area-locks.ts";
import { areaLockKeys, readLockOwner } from "../../workers/locks/lock-keys.ts";
import { waitFor } from "../support/area.ts";
import { canStartServer, withRedis, withServer } from "../support/queue.ts";

const owner = (jobId: string) => ({ host: "hostA", pid: 1, jobId, since: "2026-01-01T00:00:00.000Z" });

async function withLocks(urls: string[], body: (locks: AreaLocks) => Promise<void>): Promise<void> {
  const locks = new AreaLocks(urls);
  try {
    await body(locks);
  } finally {
    locks.close();
  }
}

const testWithServer = test.skipIf(!canStartServer);

test("an area that is locked is refused to another job, naming the holder, until it is released", () =>
  withRedis((redis, prefix, url) =>
    withLocks([url], async (locks) => {
      const keys = areaLockKeys(prefix, { realPath: "/a", areaId: "1" });
      const held = await locks.acquire(keys, owner("reduce-1"));
      const second = locks.acquire(keys, owner("reduce-2"), { wait: 0 });
      await expect(second).rejects.toMatchObject({ code: "locked", details: { jobId: "reduce-1" } });
      expect(await readLockOwner(redis, keys)).toEqual(owner("reduce-1"));
      await held.release();
      expect(await readLockOwner(redis, keys)).toBeUndefined();
      await (await locks.acquire(keys, owner("reduce-2"), { wait: 0 })).release();
    }),
  ));

test("an area known by its id on one host and by another path on the next is one area", () =>
  withRedis((_redis, prefix, url) =>
    withLocks([url], async (locks) => {
      const here = areaLockKeys(prefix, { realPath: "/mnt/a", areaId: "1" });
      const there = areaLockKeys(prefix, { realPath: "/net/a", areaId: "1" });
      const held = await locks.acquire(here, owner("reduce-1"));
      const second = locks.acquire(there, owner("reduce-2"), { wait: 0 });
      await expect(second).rejects.toMatchObject({ code: "locked" });
      await held.release();
    }),
  ));

test("a lock that was handed over is adopted by the same job alone, also where its value was lost on the way", () =>
  withRedis((_redis, prefix, url) =>
    withLocks([url], async (locks) => {
      const keys = areaLockKeys(prefix, { realPath: "/a", areaId: "1" });
      const value = await (await locks.acquire(keys, owner("migrate-1"))).handOver(60_000);
      const other = locks.adopt(keys, "lost", owner("migrate-2"));
      await expect(other).rejects.toMatchObject({ code: "locked", details: { jobId: "migrate-1" } });
      const lost = await locks.adopt(keys, undefined, owner("migrate-1"));
      expect(await lost.handOver(60_000)).toBe(value);
      await (await locks.adopt(keys, "lost", owner("migrate-1"))).release();
      await (await locks.acquire(keys, owner("migrate-2"), { wait: 0 })).release();
    }),
  ));

test("a lock outlives its first term while its holder is there", () =>
  withRedis((redis, prefix, url) =>
    withLocks([url], async (locks) => {
      const keys = areaLockKeys(prefix, { realPath: "/a", areaId: null });
      const held = await locks.acquire(keys, owner("reduce-1"), { ttl: 600 });
      const end = Date.now() + 1800;
      await waitFor("three terms to pass", async () => {
        expect(await redis.exists(...keys)).toBe(1);
        return Date.now() > end;
      });
      expect(held.signal.aborted).toBe(false);
      await held.release();
    }),
  ));

test("a lock that another took is lost with the reason at the next renewal", () =>
  withRedis((redis, prefix, url) =>
    withLocks([url], async (locks) => {
      const keys = areaLockKeys(prefix, { realPath: "/a", areaId: null });
      const held = await locks.acquire(keys, owner("reduce-1"), { ttl: 900 });
      await redis.set(keys[0] ?? "", "another");
      await waitFor("the loss", () => held.signal.aborted);
      expect(held.signal.reason).toMatchObject({ code: "lost-lease" });
      await held.release();
      expect(await redis.get(keys[0] ?? "")).toBe("another");
    }),
  ));

testWithServer("a lock whose server falls silent is given up before it expires there", () =>
  withServer([], (url, server) =>
    withLocks([url], async (locks) => {
      const held = await locks.acquire(["k"], owner("reduce-1"), { ttl: 2000 });
      const takenAt = Date.now();
      server.signal("SIGSTOP");
      try {
        await waitFor("the loss", () => held.signal.aborted);
        expect(Date.now() - takenAt).toBeLessThan(2000);
      } finally {
        server.signal("SIGCONT");
      }
      await held.release();
    }),
  ),
);

testWithServer("without a quorum of lock servers an outage is told apart from a held lock", () =>
  withServer([], (url) =>
    withLocks([url, "redis://127.0.0.1:1", "redis://127.0.0.1:2"], async (locks) => {
      await expect(locks.acquire(["k"], owner("reduce-1"))).rejects.toMatchObject({
        code: "redis-unreachable",
      });
    }),
  ),
);

testWithServer("with two of three lock servers a lock is taken, renewed and released", () =>
  withServer([], (one) =>
    withServer([], (two) =>
      withLocks([one, "redis://127.0.0.1:1", two], async (locks) => {
        const held = await locks.acquire(["k"], owner("reduce-1"), { ttl: 600 });
        const end = Date.now() + 1500;
        await waitFor("two terms to pass", () => Date.now() > end);
        expect(held.signal.aborted).toBe(false);
        await held.release();
        await (await locks.acquire(["k"], owner("reduce-2"), { wait: 0 })).release();
      }),
    ),
  ),
);

test("a lock that was handed over lasts without its holder, and the process that knows its value continues it", () =>
  withRedis((redis, prefix, url) =>
    withLocks([url], async (locks) => {
      const keys = areaLockKeys(prefix, { realPath: "/a", areaId: "1" });
      const held = await locks.acquire(keys, owner("migrate-1"), { ttl: 600 });
      const value = await held.handOver(5000);
      expect(await redis.pttl(keys[0] ?? "")).toBeGreaterThan(1000);
      const second = locks.acquire(keys, owner("reduce-2"), { wait: 0 });
      await expect(second).rejects.toMatchObject({ code: "locked", details: { jobId: "migrate-1" } });
      const adopted = await locks.adopt(keys, value, owner("migrate-1"));
      await adopted.release();
      await (await locks.acquire(keys, owner("reduce-2"), { wait: 0 })).release();
    }),
  ));

test("a lock that Redis lost after it was handed over is taken anew, unless another has it by then", () =>
  withRedis((redis, prefix, url) =>
    withLocks([url], async (locks) => {
      const keys = areaLockKeys(prefix, { realPath: "/a", areaId: "1" });
      const value = await (await locks.acquire(keys, owner("migrate-1"))).handOver(5000);
      await redis.del(keys);
      const anew = await locks.adopt(keys, value, owner("migrate-1"));
      const late = locks.adopt(keys, value, owner("migrate-2"));
      await expect(late).rejects.toMatchObject({ code: "locked" });
      await anew.release();
    }),
  ));

test("a lock is kept and renewed while the host's clock is set ten seconds ahead or back", () =>
  withRedis((redis, prefix, url) =>
    withLocks([url], async (locks) => {
      for (const byMs of [10_000, -10_000]) {
        const keys = areaLockKeys(prefix, { realPath: "/a", areaId: String(byMs) });
        const held = await locks.acquire(keys, owner("reduce-1"), { ttl: 1_500 });
        vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + byMs });
        try {
          // Twice its life: with each renewal it stands longer again.
          let [left, renewals] = [0, 0];
          await waitFor("the lock to be renewed six times", async () => {
            const before = left;
            left = await redis.pttl(keys[0] ?? "");
            renewals += left > before ? 1 : 0;
            return renewals > 6 || held.signal.aborted;
          });
          expect(held.signal.aborted).toBe(false);
          expect(await readLockOwner(redis, keys)).toEqual(owner("reduce-1"));
        } finally {
          vi.useRealTimers();
          await held.release();
        }
      }
    }),
  ));
