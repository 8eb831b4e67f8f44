import { expect, test } from "vitest";
import { connectRedis } from "../../shared/queue/connections.ts";
import { waitFor } from "../support/area.ts";
import { canStartServer, onQueue, refuseWrites, withServer } from "../support/queue.ts";

const testWithServer = test.skipIf(!canStartServer);

/** It answers after each key. */
const slowToLoad = [
  ...["--key-load-delay", "60000", "--loading-process-events-interval-bytes", "1024"],
  ...["--rdbcompression", "no"],
];

testWithServer("a worker waits for a Redis that cannot save its data, says so once, and serves then", () =>
  withServer([], (url) =>
    onQueue(async (stage) => {
      const restore = await refuseWrites(stage.redis);
      const worker = stage.spawn("hostA");
      const timesLogged = () => worker.stderr().split("accepts no commands now: MISCONF").length - 1;
      await waitFor("the worker to say why it waits", () => timesLogged() > 0, { state: worker.stderr });
      const tries = async () =>
        Number(/total_connections_received:(\d+)/.exec(await stage.redis.info("stats"))?.[1]);
      const before = await tries();
      await waitFor("the worker to try again twice", async () => (await tries()) >= before + 2);
      expect([timesLogged(), worker.child.exitCode]).toEqual([1, null]);
      await restore();
      await waitFor("the worker to serve", () => worker.stderr().includes("serving the queue"));
    }, url),
  ),
);

testWithServer("a worker that waits for Redis leaves when it is told to", () =>
  withServer([], (url) =>
    onQueue(async (stage) => {
      const restore = await refuseWrites(stage.redis);
      const worker = stage.spawn("hostA");
      await waitFor("the worker to wait", () => worker.stderr().includes("MISCONF"), {
        state: worker.stderr,
      });
      worker.child.kill("SIGTERM");
      expect(await worker.exited).toBe(0);
      await restore();
    }, url),
  ),
);

testWithServer("a worker waits for a Redis that loads its data", () =>
  withServer(slowToLoad, (url, server) =>
    onQueue(async (stage) => {
      const fill = stage.redis.pipeline();
      for (let n = 0; n < 200; n++) fill.set(`filler-${n}`, "x".repeat(1100));
      await fill.exec();
      await stage.redis.save();
      // Loading takes longer than it waits for.
      const restarted = server.restart().catch(() => {});
      const reply = () =>
        connectRedis(url).then(
          (redis) => redis.disconnect(),
          (error: unknown) => (error as { details?: { reply?: string } }).details?.reply,
        );
      await waitFor("Redis to say that it loads", async () => (await reply()) === "LOADING");
      const worker = stage.spawn("hostA");
      await waitFor("the worker to serve", () => worker.stderr().includes("serving the queue"), {
        deadline: 20_000,
        state: worker.stderr,
      });
      expect(worker.stderr()).toContain("LOADING");
      await restarted;
    }, url),
  ),
);

testWithServer("a job is done though Redis refused every write for a while", () =>
  withServer([], (url) =>
    onQueue(async (stage) => {
      const area = stage.area("a", "hostA");
      const worker = await stage.worker("hostA");
      const id = await stage.enqueue("hostA", area, "hold");
      await stage.reach("hostA", id, "active");
      const restore = await refuseWrites(stage.redis);
      stage.release(area);
      await waitFor("the worker to meet it", () => worker.stderr().includes("MISCONF"), {
        deadline: 30_000,
        state: worker.stderr,
      });
      await restore();
      await stage.reach("hostA", id, "completed", 60_000);
      expect(worker.child.exitCode).toBeNull();
    }, url),
  ),
);
