import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { waitFor } from "../../support/area.ts";
import {
  ask,
  canStartServer,
  documentOf,
  onQueue,
  serverEnv,
  startServer,
  withServer,
} from "../../support/queue.ts";

describe("serve", () => {
  it("finishes the request in hand when it is told to stop, takes no new one, and ends with 0", () =>
    onQueue(async (stage) => {
      const server = await startServer(serverEnv(stage), ["--json"]);
      const area = stage.area("a1", "hosta");
      const body = JSON.stringify({ job: "reduce", area, runname: "%" });
      const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
      let received = "";
      socket.on("data", (chunk: Buffer) => {
        received += chunk.toString();
      });
      const closed = new Promise((resolve) => socket.on("close", resolve));
      socket.write(
        `POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
      );
      await waitFor("the request to be in hand", () => server.stderr().includes("/api/v1/jobs"));
      server.child.kill("SIGTERM");
      await waitFor("the server to be stopping", () => server.stderr().includes("stopping"));
      await waitFor("new connections to be refused", () =>
        ask(server.url).then(
          () => false,
          () => true,
        ),
      );
      socket.write(body);
      await closed;
      expect(received).toMatch(/^HTTP\/1.1 202 /);
      const finished = await server.finished;
      expect([finished.code, documentOf(finished)]).toEqual([0, { url: server.url, state: "stopped" }]);
      const jobs = await stage.redis.keys(`${stage.prefix}:host.hosta:reduce-*`);
      expect(jobs).toHaveLength(1);
    }));

  it.skipIf(!canStartServer)("tells that Redis is away, and goes on once it is back", () =>
    withServer(["--maxmemory-policy", "noeviction"], async (url, redis) => {
      await onQueue(async (stage) => {
        const server = await startServer(serverEnv(stage));
        const area = stage.area("a1", "hosta");
        const body = { job: "reduce", area, runname: "%" };
        const post = () => ask(`${server.url}/api/v1/jobs`, { method: "POST", body });
        expect((await post()).status).toBe(202);
        await redis.kill();
        const health = () => ask(`${server.url}/healthz`);
        await waitFor("the outage in /healthz", async () => (await health()).status === 503);
        expect((await health()).body).toMatchObject({ ok: false, redis: "down", hosts: [] });
        for (const answer of [
          await post(),
          await ask(`${server.url}/api/v1/jobs`),
          await ask(`${server.url}/queues`),
        ]) {
          expect(answer.body).toMatchObject({ status: 503, code: "redis-unreachable" });
        }
        await redis.restart();
        await waitFor("Redis to be found again", async () => (await health()).status === 200);
        await waitFor("a job to be taken again", async () => (await post()).status === 202);
        server.child.kill("SIGTERM");
        expect((await server.finished).code).toBe(0);
      }, url);
    }),
  );
});
