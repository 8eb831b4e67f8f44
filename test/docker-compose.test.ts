import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";

const composeFile = z.object({
  services: z.object({
    redis: z.object({
      image: z.string(),
      command: z.array(z.string()),
      ports: z.array(z.string()),
      healthcheck: z.object({ test: z.array(z.string()) }),
      volumes: z.array(z.string()),
    }),
  }),
  volumes: z.record(z.string(), z.unknown()),
});

const { services, volumes } = composeFile.parse(
  parse(readFileSync(new URL("../docker-compose.yml", import.meta.url), "utf8")),
);

function option(name: string): string | undefined {
  const { command } = services.redis;
  const at = command.indexOf(name);
  return at < 0 ? undefined : command[at + 1];
}

test("the compose file's Redis never evicts and appends to its log, as the worker demands", () => {
  expect(services.redis.image).toMatch(/^redis:7/);
  expect(services.redis.command[0]).toBe("redis-server");
  expect(option("--maxmemory-policy")).toBe("noeviction");
  expect(option("--appendonly")).toBe("yes");
});

test("the compose file publishes Redis on the loopback address alone", () => {
  expect(services.redis.ports.length).toBeGreaterThan(0);
  for (const port of services.redis.ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:6379$/);
});

test("the compose file keeps Redis's data in a named volume and checks that it answers", () => {
  const [name] = services.redis.volumes.find((volume) => volume.endsWith(":/data"))?.split(":") ?? [];
  expect(Object.keys(volumes)).toContain(name);
  expect(services.redis.healthcheck.test).toEqual(["CMD", "redis-cli", "ping"]);
});
