import { spawnSync } from "node:child_process";
import { Redis } from "ioredis";
import { describe, expect, it, test } from "vitest";
import { isRoot } from "../support/area.ts";
import {
  builtCommand,
  canStartServer,
  documentOf,
  onQueue,
  refuseWrites,
  runCommand,
  withServer,
} from "../support/queue.ts";

/** What brings a server to refuse, and how the command connects. */
const replies: Record<string, { at?: (url: string) => string; spoil?: (redis: Redis) => Promise<unknown> }> =
  {
    WRONGPASS: {
      at: (url) => url.replace("//", "//:wrong@"),
      spoil: (redis) => redis.config("SET", "requirepass", "right"),
    },
    NOAUTH: { spoil: (redis) => redis.config("SET", "requirepass", "right") },
    NOPERM: {
      at: (url) => url.replace("//", "//weak:weak@"),
      spoil: (redis) => redis.acl("SETUSER", "weak", "on", ">weak", "~*", "+ping", "+info"),
    },
    READONLY: { spoil: (redis) => redis.replicaof("127.0.0.1", "1") },
    OOM: { spoil: (redis) => redis.config("SET", "maxmemory", "1") },
    MISCONF: { spoil: (redis) => refuseWrites(redis) },
  };

describe.runIf(canStartServer)("a Redis that refuses", () => {
  it.each(Object.entries(replies))(
    "with %s is told in its own words, as bad-redis, by a command and a worker",
    (reply, how) =>
      withServer([], (url) =>
        onQueue(async (stage) => {
          const area = stage.area("a1", "hosta");
          const setUp = new Redis(url);
          await how.spoil?.(setUp);
          const env = {
            MTJOBS_REDIS_URL: how.at?.(url) ?? url,
            MTJOBS_PREFIX: stage.prefix,
            MTJOBS_HOST: "hosta",
            MTJOBS_AREAS: stage.root,
          };
          const asked = await runCommand(["reduce", area, "--runname", "%", "--json"], { env });
          setUp.disconnect();
          expect([asked.code, documentOf(asked)]).toMatchObject([
            1,
            {
              error: {
                code: "bad-redis",
                message: expect.stringContaining(`: ${reply} `),
                hint: expect.any(String),
                details: { reply, temporary: ["READONLY", "OOM", "MISCONF"].includes(reply) },
              },
            },
          ]);
          expect(asked.stdout).not.toContain("out of reach");
        }),
      ),
  );

  const command = (words: string) => `${process.execPath} ${builtCommand} ${words}`;
  const script = `ip link set lo up; ip addr add 10.9.8.7/32 dev lo
redis-server --port 7777 --bind 10.9.8.7 --save '' --dir /tmp >/dev/null &
redis=$!
for n in $(seq 50); do redis-cli -h 10.9.8.7 -p 7777 ping 2>/dev/null | grep -q DENIED && break; sleep 0.1; done
${command("jobs --json")}; echo "exit $?"
${command("worker")} 2>&1; echo "exit $?"
kill $redis`;

  test.runIf(isRoot && spawnSync("unshare", ["--net", "true"]).status === 0)(
    "every connection, by protected mode, is told in its own words by a command and a worker",
    () => {
      const { stdout } = spawnSync("unshare", ["--net", "sh", "-c", script], {
        encoding: "utf8",
        env: {
          PATH: process.env.PATH,
          MTJOBS_REDIS_URL: "redis://10.9.8.7:7777",
          MTJOBS_AREAS: "/tmp",
          MTJOBS_HOST: "hosta",
        },
      });
      expect(stdout).toContain('"code": "bad-redis"');
      expect(stdout.match(/refuses access: DENIED Redis is running in protected mode/g)?.length).toBe(2);
      expect(stdout.match(/^exit 1$/gm)).toHaveLength(2);
    },
  );
});
