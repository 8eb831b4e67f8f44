import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { HostRecord } from "../../shared/contract/queue-records.ts";
import { processSpace } from "../../shared/process.ts";
import { createLog } from "../../shared/settings/log.ts";
import { serveAlone } from "../../workers/host/serve-alone.ts";
import { isRoot, nobody, waitFor, writeFile } from "../support/area.ts";
import {
  commandEnv,
  documentOf,
  endCommand,
  onQueue,
  type QueueStage,
  runCommand,
  serveCommand,
  startCommand,
  untilServing,
} from "../support/queue.ts";

const refused = (stage: QueueStage, areas?: string, user: { uid?: number; gid?: number } = {}) =>
  runCommand(["worker", "--json"], { env: commandEnv(stage, areas), ...user });

describe("a worker does not start", () => {
  it("without the directory of a root", () =>
    onQueue(async (stage) => {
      const gone = join(stage.root, "gone");
      const worker = await refused(stage, `${stage.root}:${gone}`);
      expect([worker.code, documentOf(worker)]).toMatchObject([
        2,
        { error: { code: "bad-settings", message: `MTJOBS_AREAS: the directory ${gone} does not exist` } },
      ]);
    }));

  it("with a file as a root", () =>
    onQueue(async (stage) => {
      const worker = await refused(stage, writeFile(join(stage.root, "file"), ""));
      expect([worker.code, documentOf(worker)]).toMatchObject([2, { error: { code: "bad-settings" } }]);
    }));

  it.runIf(isRoot)("as a user to whom none of the areas below a root belongs", () =>
    onQueue(async (stage) => {
      stage.area("a1", "hosta");
      chmodSync(stage.root, 0o755);
      const worker = await refused(stage, stage.root, { uid: nobody, gid: nobody });
      expect([worker.code, documentOf(worker)]).toMatchObject([
        3,
        { error: { code: "not-owner", message: expect.stringContaining("none of the 1 area below") } },
      ]);
    }),
  );

  it("beside a live worker of its host, and does so once that one has ended", () =>
    onQueue(async (stage) => {
      const first = await serveCommand(stage);
      const second = await refused(stage);
      expect([second.code, documentOf(second)]).toMatchObject([
        3,
        {
          error: {
            code: "conflict",
            message: expect.stringMatching(
              new RegExp(`^hosta is served by another worker: process ${first.child.pid} on `),
            ),
            hint: expect.stringContaining("--standby"),
          },
        },
      ]);
      expect(first.child.exitCode).toBeNull();
      await endCommand(first);
      await endCommand(await serveCommand(stage));
    }));

  it("beside a worker of its host on another machine that renews its announcement", () =>
    onQueue(async (stage) => {
      const key = `${stage.prefix}:alive:hosta`;
      const other = JSON.stringify({
        pid: 1,
        startedAt: "2026-01-01T00:00:00.000Z",
        machine: "far",
        space: "x",
      });
      const renew = () => stage.redis.set(key, other, "PX", 12_000);
      await renew();
      const heartbeat = setInterval(() => void renew(), 1000);
      try {
        const worker = await refused(stage);
        expect([worker.code, documentOf(worker)]).toMatchObject([
          3,
          { error: { code: "conflict", message: expect.stringContaining("process 1 on far") } },
        ]);
      } finally {
        clearInterval(heartbeat);
      }
    }));
});

describe("a worker leaves", () => {
  it("as a refused one does, if another took over while it was stopped, and keeps that one's announcement", () =>
    onQueue(async (stage) => {
      const first = await serveCommand(stage);
      const second = startCommand(["worker", "--standby"], { env: commandEnv(stage) });
      first.child.kill("SIGSTOP");
      try {
        await untilServing(second);
      } finally {
        first.child.kill("SIGCONT");
      }
      const { code, stderr } = await first.finished;
      expect(code).toBe(3);
      const taken = `hosta is served by another worker: process ${second.child.pid} on `;
      expect(stderr).toContain(`"msg":"leaving: ${taken}`);
      expect(stderr).toContain(`mtjobs: ${taken}`);
      expect(second.child.exitCode).toBeNull();
      const alive = JSON.parse((await stage.redis.get(`${stage.prefix}:alive:hosta`)) ?? "{}");
      const record = JSON.parse((await stage.redis.hget(`${stage.prefix}:hosts`, "hosta")) ?? "{}");
      expect([alive.pid, record.pid]).toEqual([second.child.pid, second.child.pid]);
      await endCommand(second);
    }));

  it("not because it was stopped: it announces itself again if no other took over", () =>
    onQueue(async (stage) => {
      const worker = await serveCommand(stage);
      const isAnnounced = async () => (await stage.redis.exists(`${stage.prefix}:alive:hosta`)) === 1;
      worker.child.kill("SIGSTOP");
      try {
        await waitFor("its announcement to run out", async () => !(await isAnnounced()), {
          deadline: 20_000,
        });
      } finally {
        worker.child.kill("SIGCONT");
      }
      await waitFor("its announcement", isAnnounced, { state: worker.stderr });
      expect(worker.child.exitCode).toBeNull();
      await endCommand(worker);
    }));
});

describe("a worker starts", () => {
  it("with an empty root, and warns of it", () =>
    onQueue(async (stage) => {
      mkdirSync(join(stage.root, "empty"));
      const worker = await serveCommand(stage);
      expect(worker.stderr()).toContain(`there is no area below ${stage.root} yet`);
      await endCommand(worker);
    }));

  it("at once after the last one of its host was killed", () =>
    onQueue(async (stage) => {
      await endCommand(await serveCommand(stage), "SIGKILL");
      const startedAt = performance.now();
      await endCommand(await serveCommand(stage));
      expect(performance.now() - startedAt).toBeLessThan(9000);
    }));

  it("at once where another process has the number of the last one of its host now", () =>
    onQueue(async (stage) => {
      await endCommand(await serveCommand(stage), "SIGKILL");
      const key = `${stage.prefix}:alive:hosta`;
      const left = JSON.parse((await stage.redis.get(key)) ?? "{}");
      // This process is alive, and began at another time.
      await stage.redis.set(key, JSON.stringify({ ...left, pid: process.pid }), "PX", 60_000);
      await endCommand(await serveCommand(stage));
    }));

  it("where the last one of its host had the number that this process has now", () =>
    onQueue(async ({ redis, prefix }) => {
      const [startedAt, space] = [new Date().toISOString(), processSpace()];
      const dead = { pid: process.pid, startedAt: "2026-01-01T00:00:00.000Z", machine: "here", space };
      await redis.set(`${prefix}:alive:hosta`, JSON.stringify(dead), "PX", 60_000);
      const record = { host: "hosta", pid: process.pid, startedAt } as HostRecord;
      const log = createLog({ logLevel: "silent", host: "hosta" });
      await serveAlone("refuse", { redis, prefix, record, log }, AbortSignal.timeout(5000));
      expect(JSON.parse((await redis.get(`${prefix}:alive:hosta`)) ?? "{}")).toMatchObject({ startedAt });
    }));

  it("once the announcement of one on another machine has run out", () =>
    onQueue(async (stage) => {
      const other = JSON.stringify({ pid: 1, startedAt: "", machine: "far", space: "x" });
      await stage.redis.set(`${stage.prefix}:alive:hosta`, other, "PX", 2500);
      await endCommand(await serveCommand(stage));
    }));

  it("with --standby only when the first is gone, and leaves while it waits if it is told to", () =>
    onQueue(async (stage) => {
      const first = await serveCommand(stage);
      const standbys = [0, 1].map(() => startCommand(["worker", "--standby"], { env: commandEnv(stage) }));
      for (const { stderr } of standbys)
        await waitFor("the second to wait", () => stderr().includes("is served by another worker"), {
          state: stderr,
        });
      const [second, third] = standbys as [(typeof standbys)[0], (typeof standbys)[0]];
      third.child.kill("SIGTERM");
      expect((await third.finished).code).toBe(0);
      expect(second.stderr()).not.toContain("serving the queue");
      await endCommand(first, "SIGKILL");
      await untilServing(second);
      await endCommand(second);
    }));
});
