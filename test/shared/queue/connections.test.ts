import { expect, test } from "vitest";
import { connectRedis, openQueue } from "../../../shared/queue/connections.ts";
import { checkRedis } from "../../../shared/queue/redis-check.ts";
import { toQueueError } from "../../../shared/queue/redis-errors.ts";
import { redisLocation, withoutPassword } from "../../../shared/settings/redis-url.ts";
import { waitFor } from "../../support/area.ts";
import { canStartServer, withServer } from "../../support/queue.ts";

const testWithServer = test.skipIf(!canStartServer);

test.each([
  ["redis://h", { host: "h", port: 6379 }],
  ["redis://me:p%40ss@h:7000/3", { host: "h", port: 7000, username: "me", password: "p@ss", db: 3 }],
  ["redis://me:p@ss@h:7000", { host: "h", port: 7000, username: "me", password: "p@ss" }],
  ["rediss://:secret@h", { host: "h", port: 6379, password: "secret", tls: {} }],
  ["redis://[::1]:6380", { host: "::1", port: 6380 }],
  ["unix:///run/redis.sock?db=2", { path: "/run/redis.sock", db: 2 }],
])("the Redis URL %s is read as an address", (url, address) => {
  expect(redisLocation(url)).toEqual({ kind: "server", nodes: [], options: address });
});

test("a URL may name Sentinels and the master they know, or nodes of a cluster", () => {
  expect(redisLocation("redis+sentinel://:pw@s1,s2:26380,[::1]:7/mine?db=2")).toMatchObject({
    kind: "sentinel",
    options: {
      sentinels: [
        { host: "s1", port: 26379 },
        { host: "s2", port: 26380 },
        { host: "::1", port: 7 },
      ],
      name: "mine",
      password: "pw",
      db: 2,
    },
  });
  expect(redisLocation("rediss+cluster://n1:7000,n2")).toEqual({
    kind: "cluster",
    nodes: [
      { host: "n1", port: 7000 },
      { host: "n2", port: 6379 },
    ],
    options: { tls: {} },
  });
});

test.each([
  ["redis+sentinel://:secret@s1", "the name of the master is missing"],
  ["redis+cluster://:secret@n1/3", "no database numbers"],
  ["redis://:secret@h1,h2", "a single server has only one host"],
  ["redis+cluster://:secret@n1:70000000", "expected host or host:port"],
])("the Redis URL %s is a bad setting that says why and hides the password", (url, why) => {
  const read = () => redisLocation(url);
  expect(read).toThrow(why);
  expect(read).not.toThrow("secret");
});

test("a Redis URL with a database that is no number is a bad setting that does not show the password", () => {
  expect(() => redisLocation("redis://:secret@h/x")).toThrow(/\*\*\*@h/);
  expect(withoutPassword("redis://:secret@h/1")).not.toContain("secret");
  expect(withoutPassword("redis://me:one@secret@h")).toBe("redis://me:***@h");
  expect(withoutPassword("redis://me@corp:secret@h")).toBe("redis://me@corp:***@h");
});

test("a port without a server is reported as unreachable within a second", async () => {
  const startedAt = Date.now();
  await expect(connectRedis("redis://127.0.0.1:1")).rejects.toMatchObject({ code: "redis-unreachable" });
  expect(Date.now() - startedAt).toBeLessThan(1500);
});

test("a missing socket file is reported as unreachable", async () => {
  await expect(connectRedis("unix:///nonexistent/redis.sock")).rejects.toMatchObject({
    code: "redis-unreachable",
  });
});

testWithServer("a server that accepts but is silent is reported as unreachable within 3 s", () =>
  withServer([], async (url, server) => {
    server.signal("SIGSTOP");
    const startedAt = Date.now();
    try {
      await expect(connectRedis(url)).rejects.toMatchObject({ code: "redis-unreachable" });
      expect(Date.now() - startedAt).toBeLessThan(3000);
    } finally {
      server.signal("SIGCONT");
    }
  }),
);

testWithServer(
  "an add while Redis is away fails within 3 s as unreachable, lands nowhere, and the next one succeeds",
  () =>
    withServer([], async (url, server) => {
      const redis = await connectRedis(url);
      redis.on("error", () => {});
      const queue = openQueue(redis, { prefix: "{t}" }, "hostA");
      try {
        await queue.add("reduce", { n: 1 });
        await server.kill();
        const startedAt = Date.now();
        const error: unknown = await queue.add("reduce", { n: 2 }).catch((thrown: unknown) => thrown);
        expect(await toQueueError(error, redis, url)).toMatchObject({ code: "redis-unreachable" });
        expect(Date.now() - startedAt).toBeLessThan(3000);
        await server.restart();
        await waitFor("the client to be back", () => redis.ping().catch(() => false));
        await queue.add("reduce", { n: 3 });
        expect((await queue.getJobs(["waiting"])).map(({ data }) => data as unknown)).toEqual([{ n: 3 }]);
      } finally {
        await queue.close();
        redis.disconnect();
      }
    }),
);

testWithServer("a refused password is told apart from an outage", () =>
  withServer(
    ["--requirepass", "right"],
    async (url) => {
      const wrong = url.replace("redis://", "redis://:wrong@");
      const error: unknown = await connectRedis(wrong).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "bad-redis" });
      expect(String(error)).not.toContain("wrong@");
    },
    "right",
  ),
);

testWithServer("a Redis that evicts keys is refused and one that does not is accepted", () =>
  withServer(["--maxmemory-policy", "volatile-lru"], async (url) => {
    const redis = await connectRedis(url);
    await expect(checkRedis(redis, url)).rejects.toMatchObject({ code: "bad-redis" });
    await redis.config("SET", "maxmemory-policy", "noeviction");
    expect(await checkRedis(redis, url)).toMatchObject({ evictionPolicy: "noeviction" });
    redis.disconnect();
  }),
);
