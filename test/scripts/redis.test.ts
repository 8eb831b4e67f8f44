import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { findProgram, listens, Machine, root, until } from "./run-script.ts";

const server = (await findProgram("redis-server")) ?? (await findProgram("valkey-server"));
const module = JSON.stringify(pathToFileURL(join(root, "scripts", "redis.mjs")).href);

/** A program that starts a Redis, prints its URL and whether it listens, and ends. */
const brief = [
  "--input-type=module",
  "-e",
  `import { connect } from "node:net";
   import { withRedis } from ${module};
   await withRedis(async ({ url }) => {
     const socket = connect(Number(new URL(url).port), "127.0.0.1");
     await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
     socket.destroy();
     console.log(url);
   }).catch((error) => { console.error(error.message); process.exitCode = 1; });`,
];

/** A program that starts a Redis, prints its URL and stays. */
const lasting = [
  "--input-type=module",
  "-e",
  `import { withRedis } from ${module};
   await withRedis(({ url }) => { console.log(url); return new Promise(() => setInterval(() => {}, 1000)); });`,
];

/** Stands in for a Docker engine; its container is a real server on the published port. */
const docker = (log: string) => `echo "$1" >> ${log}
case "$1" in
  run) for word; do case "$word" in 127.0.0.1:*:6379) port=\${word#127.0.0.1:}; port=\${port%:6379};; esac; done
       exec ${server} --port "$port" --bind 127.0.0.1 --save "";;
esac`;

describe.skipIf(server === undefined)("with a server program on this machine", () => {
  test("the Redis that MTJOBS_REDIS_URL names is used although a server is on the PATH", async () => {
    const given = process.env.MTJOBS_REDIS_URL ?? "";
    const machine = new Machine();
    machine.link("redis-server", server ?? "");
    const { status, stdout } = await machine.run(brief, { MTJOBS_REDIS_URL: given });
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${given}\n` });
  });

  test.each(["redis-server", "valkey-server"])(
    "a private %s from the PATH is started before Docker is asked, and removed",
    async (name) => {
      const machine = new Machine();
      const log = join(machine.temporary, "..", "docker.log");
      machine.link(name, server ?? "");
      machine.script("docker", docker(log));
      const { status, stdout, stderr } = await machine.run(brief);
      expect(status, stderr).toBe(0);
      expect(stderr).toContain(`starting a private ${join(machine.bin, name)}`);
      expect(existsSync(log)).toBe(false);
      expect(await listens(stdout.trim())).toBe(false);
      expect(machine.leftovers()).toEqual([]);
    },
  );

  test("a private server evicts nothing and listens on the loopback address alone", async () => {
    const machine = new Machine();
    machine.link("redis-server", server ?? "");
    const { child, firstLine, ended } = await machine.start(lasting, root);
    const redis = new Redis(firstLine);
    expect(await redis.config("GET", "maxmemory-policy")).toEqual(["maxmemory-policy", "noeviction"]);
    expect(await redis.config("GET", "bind")).toEqual(["bind", "127.0.0.1"]);
    redis.disconnect();
    child.kill("SIGKILL");
    await ended;
  });

  test("a private server and its files go when the process that asked for it is killed", async () => {
    const machine = new Machine();
    machine.link("redis-server", server ?? "");
    const { child, firstLine, ended } = await machine.start(lasting, root);
    expect(await listens(firstLine)).toBe(true);
    child.kill("SIGKILL");
    await ended;
    await until(
      async () => !(await listens(firstLine)) && machine.leftovers().length === 0,
      () => `${firstLine} still there, or ${machine.leftovers().join(", ")}`,
    );
  });

  test("a Docker engine is used where the PATH has no server, and its container removed", async () => {
    const machine = new Machine();
    const log = join(machine.temporary, "..", "docker.log");
    machine.script("docker", docker(log));
    const { status, stdout, stderr } = await machine.run(brief);
    expect(status, stderr).toBe(0);
    expect(readFileSync(log, "utf8").trim().split("\n")).toEqual(["info", "pull", "run", "rm"]);
    expect(await listens(stdout.trim())).toBe(false);
    expect(machine.leftovers()).toEqual([]);
  });

  test("a package manager installs a server if neither the PATH nor Docker has one", async () => {
    const machine = new Machine();
    machine.script("docker", "exit 1");
    machine.script("sudo", 'shift; exec "$@"');
    machine.script("true", "exit 0");
    machine.script(
      "apt-get",
      `[ "$1" = update ] || /bin/ln -s ${server} ${join(machine.bin, "redis-server")}`,
    );
    const { status, stdout, stderr } = await machine.run(brief);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("installing Redis with apt: redis-server");
    expect(await listens(stdout.trim())).toBe(false);
  });

  test("a server program that does not start is told, and Docker is tried next", async () => {
    const machine = new Machine();
    const log = join(machine.temporary, "..", "docker.log");
    machine.script("redis-server", 'echo "no such option"; exit 1');
    machine.script("docker", docker(log));
    const { status, stderr } = await machine.run(brief);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("did not start:\nno such option");
    expect(machine.leftovers()).toEqual([]);
  });
});

test("with no way to get a Redis one message says what to install", async () => {
  const machine = new Machine();
  machine.script("sudo", "exit 1");
  const { status, stderr } = await machine.run(brief);
  expect(status).toBe(1);
  expect(stderr).toContain("install redis-server or valkey-server");
  expect(stderr).toContain("MTJOBS_REDIS_URL");
});

test("an MTJOBS_REDIS_URL at which no server listens is an error, and no other Redis is started", async () => {
  const machine = new Machine();
  machine.script("redis-server", "exit 1");
  const { status, stderr } = await machine.run(brief, { MTJOBS_REDIS_URL: "redis://127.0.0.1:1" });
  expect(status).toBe(1);
  expect(stderr).toContain("nothing listens at MTJOBS_REDIS_URL (127.0.0.1:1)");
  expect(stderr).not.toContain("starting");
});
