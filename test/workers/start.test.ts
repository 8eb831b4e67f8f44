import { expect, test } from "vitest";
import { waitFor } from "../support/area.ts";
import { canStartServer, onQueue, type QueueStage, withServer } from "../support/queue.ts";

async function refusal(
  stage: QueueStage,
  env: Record<string, string>,
): Promise<{ code: unknown; text: string }> {
  const worker = stage.spawn("hostA", env);
  const code = await worker.exited;
  return { code, text: worker.stderr() };
}

const testWithServer = test.skipIf(!canStartServer);

test("a worker without MTJOBS_AREAS refuses to start", () =>
  onQueue(async (stage) => {
    const { code, text } = await refusal(stage, { MTJOBS_AREAS: "" });
    expect(code).toBe(2);
    expect(text).toContain('"bad-settings"');
  }));

test.each([
  ["MTJOBS_ADDRESS", "10.0.0.2/24"],
  ["MTJOBS_HOST", "host b"],
])("a worker that %s gives the name %j refuses to start: no .homehost may hold it", (name, value) =>
  onQueue(async (stage) => {
    const { code, text } = await refusal(stage, { [name]: value });
    expect(code).toBe(2);
    expect(text).toContain('"bad-settings"');
    expect(text).toContain(name);
  }),
);

test("a worker whose Redis is away says so at once and leaves", () =>
  onQueue(async (stage) => {
    const startedAt = Date.now();
    const { code, text } = await refusal(stage, { MTJOBS_REDIS_URL: "redis://127.0.0.1:1" });
    expect(code).toBe(4);
    expect(text).toContain('"redis-unreachable"');
    expect(Date.now() - startedAt).toBeLessThan(6000);
  }));

testWithServer("a worker refuses a Redis that may evict jobs, and tells the remedy", () =>
  withServer(["--maxmemory-policy", "allkeys-lru"], (url) =>
    onQueue(async (stage) => {
      const { code, text } = await refusal(stage, { MTJOBS_REDIS_URL: url });
      expect(code).toBe(1);
      expect(text).toContain('"bad-redis"');
      expect(text).toContain("CONFIG SET maxmemory-policy noeviction");
    }),
  ),
);

testWithServer("a worker waits out a Redis that goes away and comes back", () =>
  withServer([], (url, server) =>
    onQueue(async (stage) => {
      const area = stage.area("a", "hostA");
      stage.release(area);
      const worker = await stage.worker("hostA");
      await server.restart();
      await waitFor("our own client", () => stage.redis.ping().catch(() => false));
      const id = await stage.enqueue("hostA", area, "hold");
      await stage.reach("hostA", id, "completed");
      expect(worker.child.exitCode).toBeNull();
    }, url),
  ),
);
