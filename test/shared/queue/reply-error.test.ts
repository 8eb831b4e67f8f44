import getPort from "get-port";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { connectRedis } from "../../../shared/queue/connections.ts";
import { toQueueError } from "../../../shared/queue/redis-errors.ts";
import { waitFor } from "../../support/area.ts";
import { canStartServer, refuseWrites, withServer } from "../../support/queue.ts";

const testWithServer = test.skipIf(!canStartServer);

interface Case {
  /** Flags of the server. */
  flags?: string[];
  /** Where the client connects, given the server's URL. */
  at?: (url: string) => string;
  /** Brings the server there. */
  before?: (redis: Redis, url: string) => Promise<void>;
  after?: (redis: Redis) => Promise<unknown>;
}

const runScript = async (redis: Redis, url: string) => {
  const other = new Redis(url, { maxRetriesPerRequest: 0 });
  other.on("error", () => {});
  void other.eval("while true do end", 0).catch(() => other.disconnect());
  await waitFor(
    "the script to be noticed",
    () =>
      redis.ping().then(
        () => false,
        () => true,
      ),
    {
      deadline: 10_000,
    },
  );
};

const cases: [reply: string, code: string, exit: number, hint: string, how: Case][] = [
  ["WRONGPASS", "bad-redis", 1, "user and password", { at: (url) => url.replace("//", "//me:wrong@") }],
  [
    "NOAUTH",
    "bad-redis",
    1,
    "user and password",
    { before: (redis) => redis.config("SET", "requirepass", "secret").then(() => {}) },
  ],
  [
    "NOPERM",
    "bad-redis",
    1,
    "rights",
    {
      at: (url) => url.replace("//", "//weak:weak@"),
      before: (redis) => redis.acl("SETUSER", "weak", "on", ">weak", "~*", "+ping").then(() => {}),
    },
  ],
  ["DB index is out of range", "bad-redis", 1, "database number", { at: (url) => `${url}/99` }],
  [
    "BUSY",
    "bad-redis",
    1,
    "SCRIPT KILL",
    {
      flags: ["--busy-reply-threshold", "100"],
      before: runScript,
      after: (redis) => redis.script("KILL"),
    },
  ],
  ["MISCONF", "bad-redis", 1, "its log", { before: (redis) => refuseWrites(redis).then(() => {}) }],
  [
    "OOM",
    "bad-redis",
    1,
    "maxmemory",
    { before: (redis) => redis.config("SET", "maxmemory", "1").then(() => {}) },
  ],
  [
    "READONLY",
    "bad-redis",
    1,
    "replica",
    { before: (redis) => redis.replicaof("127.0.0.1", "1").then(() => {}) },
  ],
];

testWithServer.each(cases)(
  "Redis that answers %s is told in its words, as %s",
  (reply, code, exit, hint, how) =>
    withServer(how.flags ?? [], async (url) => {
      const setUp = new Redis(url);
      await how.before?.(setUp, url);
      try {
        const address = how.at?.(url) ?? url;
        const error = await connectRedis(address)
          .then(async (redis) => {
            try {
              await redis.set("k", 1);
            } catch (thrown) {
              return await toQueueError(thrown, redis, address);
            } finally {
              redis.disconnect();
            }
            return undefined;
          })
          .catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({
          code,
          exitCode: exit,
          message: expect.stringContaining(reply),
          hint: expect.stringContaining(hint),
        });
      } finally {
        await how.after?.(setUp);
        setUp.disconnect();
      }
    }),
);

testWithServer("a refusal of every connection is told in Redis's words: too many clients", () =>
  withServer([], async (url) => {
    const setUp = new Redis(url);
    await setUp.config("SET", "maxclients", "1");
    try {
      await expect(connectRedis(url)).rejects.toMatchObject({
        code: "bad-redis",
        message: expect.stringContaining("max number of clients reached"),
        hint: expect.stringContaining("maxclients"),
      });
    } finally {
      setUp.disconnect();
    }
  }),
);

testWithServer("what the node of a cluster answers is told in its words", async () => {
  const bus = await getPort({ host: "127.0.0.1" });
  await withServer(["--cluster-enabled", "yes", "--cluster-port", String(bus)], async (url) => {
    const setUp = new Redis(url);
    await setUp.config("SET", "requirepass", "secret");
    setUp.disconnect();
    await expect(connectRedis(url.replace("redis:", "redis+cluster:"))).rejects.toMatchObject({
      code: "bad-redis",
      message: expect.stringContaining("NOAUTH"),
    });
  });
});

testWithServer("a refusal that a script meets is told as if no script were there", () =>
  withServer([], async (url) => {
    const redis = await connectRedis(url);
    try {
      await refuseWrites(redis);
      const thrown: unknown = await redis
        .eval("return redis.call('set', KEYS[1], 1)", 1, "k")
        .catch((error: unknown) => error);
      expect(await toQueueError(thrown, redis, url)).toMatchObject({
        code: "bad-redis",
        retriable: true,
        details: { reply: "MISCONF", temporary: true },
      });
    } finally {
      redis.disconnect();
    }
  }),
);
