import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Docker's own program that reads such files; `.ci/run` sees to it that there is one. */
const composer = [["docker", "compose"], ["docker-compose"]].find(
  ([program = "", ...first]) => spawnSync(program, [...first, "version"], { stdio: "ignore" }).status === 0,
);

function compose(...args: string[]) {
  const [program = "", ...first] = composer ?? [];
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, MTJOBS_TOKEN: "a-token" };
  return spawnSync(program, [...first, ...args], { encoding: "utf8", env, cwd: root });
}

const service = z.object({
  command: z.array(z.string()),
  // Without a value: from the environment of the composing program.
  environment: z.record(z.string(), z.string().nullable()).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()),
});
const composeFile = z.object({
  services: z.object({ redis: service, "host-a": service, "host-b": service, server: service }),
  volumes: z.record(z.string(), z.unknown()),
});

const readText = (file: string) => readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
const composeText = readText("docker-compose.yml");
const { services, volumes } = composeFile.parse(parse(composeText, { merge: true }));

function option(name: string): string | undefined {
  const { command } = services.redis;
  const at = command.indexOf(name);
  return at < 0 ? undefined : command[at + 1];
}

describe("the compose file", () => {
  it.skipIf(composer === undefined)("is one that Docker's own program reads without a complaint", () => {
    const read = compose("config", "--quiet");
    expect([read.stderr, read.status]).toEqual(["", 0]);
    expect(compose("config", "--services").stdout.trim().split("\n").toSorted()).toEqual(
      Object.keys(services).toSorted(),
    );
  });

  it("has a Redis that never evicts and appends to its log, as the worker demands", () => {
    expect(services.redis.command[0]).toBe("redis-server");
    expect(option("--maxmemory-policy")).toBe("noeviction");
    expect(option("--appendonly")).toBe("yes");
  });

  it("publishes ports on the loopback address alone", () => {
    expect([services.redis, services.server].map(({ ports }) => ports.length)).toEqual([1, 1]);
    for (const { ports } of Object.values(services)) {
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:(\d+):\1$/);
    }
  });

  it("keeps Redis's data in a named volume and checks that it answers", () => {
    const [name] = services.redis.volumes.find((volume) => volume.endsWith(":/data"))?.split(":") ?? [];
    expect(Object.keys(volumes)).toContain(name);
    expect(services.redis.healthcheck.test).toEqual(["CMD", "redis-cli", "ping"]);
  });

  it("gives each worker a name, an address and a /tmp of its own, and all of them the same areas", () => {
    const hosts = [services["host-a"], services["host-b"]];
    for (const name of ["MTJOBS_HOST", "MTJOBS_ADDRESS"])
      expect(new Set(hosts.map(({ environment }) => environment[name])).size).toBe(2);
    const mounts = hosts.map(({ volumes: each }) => Object.fromEntries(each.map(placeOf)));
    expect(mounts[0]?.["/areas"]).toBe(mounts[1]?.["/areas"]);
    expect(mounts[0]?.["/tmp"]).not.toBe(mounts[1]?.["/tmp"]);
  });

  it("has health checks without blanks in an argument, at which podman-compose splits it, and which ask mtjobs", () => {
    for (const { healthcheck } of Object.values(services)) {
      const [kind, ...words] = healthcheck.test;
      expect([kind, words.filter((word) => /\s/.test(word))]).toEqual(["CMD", []]);
    }
    const { redis: _, ...ours } = services;
    for (const { command, healthcheck } of Object.values(ours)) {
      const [, program, sub, flag, url = ""] = healthcheck.test;
      expect([program, sub, flag]).toEqual(["mtjobs", "health", "--url"]);
      const port = /(\d+)$/.exec(command.at(-1) ?? "")?.[1];
      expect(new URL(url).port).toBe(port);
      expect(new URL(url).pathname).toBe(command[0] === "serve" ? "/healthz" : "/metrics");
    }
  });

  it("takes the token from the environment, with no default that podman-compose would pass on as it stands", () => {
    expect(services.server.environment).toHaveProperty("MTJOBS_TOKEN", null);
    const values = [...composeText.replace(/#.*/g, "").matchAll(/\$\{([^}]*)\}/g)].map(
      ([, inside]) => inside,
    );
    expect(values.length).toBeGreaterThan(5);
    for (const value of values) expect(value).toMatch(/^[A-Z_]+:-.+$/);
  });

  it("gives the server no name of a host", () => {
    expect(services.server.environment).not.toHaveProperty("MTJOBS_HOST");
  });

  it("names images in full, for podman knows no others, and pulls none to build with", () => {
    const dockerfile = readText("Dockerfile");
    const images = [
      ...composeText.matchAll(/image: (\S+:\S+)/g),
      ...dockerfile.matchAll(/^ARG NODE_IMAGE=(.*)/gm),
    ].map(([, image]) => image);
    expect(images).toHaveLength(2);
    for (const image of images) expect(image).toMatch(/^docker\.io\/library\/[a-z]+:\S+$/);
    expect([...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, from]) => from)).toEqual([
      "$NODE_IMAGE",
      "$NODE_IMAGE",
    ]);
    // A syntax line makes BuildKit pull a front end.
    expect(dockerfile).not.toMatch(/^# *syntax *=/m);
  });

  it("sends the build neither secrets nor the farm's own directories", () => {
    const ignored = readText(".dockerignore").split("\n");
    const mounted = [...composeText.matchAll(/:-\.\/([\w-]+)\}/g)].map(([, directory]) => directory ?? "");
    expect(new Set(mounted)).toEqual(new Set(["areas", "tmp-host-a", "tmp-host-b"]));
    for (const name of [".npmrc", ".env", "areas", "tmp-host-*", "**/node_modules"])
      expect(ignored).toContain(name);
  });

  it("builds its image by a Dockerfile that copies only what there is", () => {
    const text = readText("Dockerfile");
    const copied = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, from = ""]) =>
      from.split(" "),
    );
    expect(copied.length).toBeGreaterThan(2);
    for (const file of copied) expect(existsSync(new URL(`../${file}`, import.meta.url)), file).toBe(true);
  });
});

/** `source:place[:ro]` → place and source; a source may hold a default with colons (`${AREAS:-./areas}`). */
function placeOf(volume: string): [place: string, source: string] {
  const { source = "", place = "" } = /^(?<source>.+):(?<place>\/[^:]*)(:ro)?$/.exec(volume)?.groups ?? {};
  return [place, source];
}
