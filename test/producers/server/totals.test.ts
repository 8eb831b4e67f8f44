import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Totals, totalsSchema } from "../../../producers/contract/totals.ts";
import { buildArea, type SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { setDrained } from "../../../shared/queue/hosts.ts";
import { edit, makeFifo, temporaryDirectory } from "../../support/area.ts";
import {
  ask,
  canStartServer,
  onQueue,
  type QueueStage,
  runReduce,
  runRestore,
  serverEnv,
  startServer,
  withServer,
} from "../../support/queue.ts";

function newArea(root: string, name: string, runs: number): SampleArea {
  return buildArea({
    ...{ directory: join(root, name), cacheRoot: temporaryDirectory(), user: "ann", host: "hostz", runs },
    ...{ testsPerRun: 2, withCache: false, unsynced: false, inFlight: 0 },
  });
}

/** A new server's answer: each caches its own. */
async function totalsOf(stage: QueueStage): Promise<Totals> {
  const server = await startServer(serverEnv(stage));
  try {
    const { status, body } = await ask(`${server.url}/api/v1/totals`);
    expect([status, totalsSchema.parse(body)]).toEqual([200, body]);
    expect(Buffer.byteLength(JSON.stringify(body))).toBeLessThan(300_000);
    return body;
  } finally {
    server.child.kill("SIGTERM");
    await server.finished;
  }
}

describe("the totals of a farm over HTTP", () => {
  it("are those of all areas: each run in the database it counts in, bytes, and what jobs saved", () =>
    onQueue(async (stage) => {
      const [one, two] = [newArea(stage.root, "one", 10), newArea(stage.root, "two", 5)];
      edit(two, ["area"], (db) => db.exec("UPDATE runs SET state = 'deleted' WHERE id = 5"));
      const { result: first } = await runReduce(one, { runId: [1, 2, 3], compact: "always" });
      const { result: second } = await runRestore(one, { runId: [3] });
      const saved = [first, second]
        .map(({ bytes }) => bytes["megatest.db"])
        .map((size) => (size?.before ?? 0) - (size?.after ?? 0));
      const { areas } = await totalsOf(stage);
      expect(areas).toMatchObject({
        ...{ total: 2, unusable: 0, counted: 2, runs: { "megatest.db": 12, "completed-runs.db": 2 } },
        savedBytes: saved.reduce((a, b) => a + b),
      });
      expect(areas?.savedBytes).toBeGreaterThan(0);
      expect(areas?.bytes["megatest.db"]).toBeGreaterThan(0);
    }));

  it("have the jobs that ended in each hour by host, without steps and forwarded ones", () =>
    onQueue(async (stage) => {
      const area = stage.area("jobs", "hosta");
      writeFileSync(join(area, "release"), "");
      const done = await stage.enqueue("hosta", area, "end");
      const forwarded = await stage.enqueue("hostb", area, "end");
      const refused = await stage.enqueue("hosta", stage.area("refused", "hosta"), "refuse");
      const cancelled = await stage.enqueue("hosta", stage.area("cancelled", "hosta"), "hold");
      await stage.worker("hosta");
      await stage.worker("hostb");
      await stage.reach("hosta", cancelled, "active");
      await stage.cancel("hosta", cancelled);
      await stage.reach("hosta", cancelled, "failed");
      await stage.reach("hosta", done, "completed");
      await stage.reach("hosta", refused, "failed");
      await stage.reach("hostb", forwarded, "completed");
      await stage.reach("hosta", forwarded, "completed");
      const { jobs } = await totalsOf(stage);
      expect(jobs).toMatchObject({ completed: 2, failed: 1, cancelled: 1, unfinished: 0, complete: true });
      expect(jobs?.from).toBe(Math.floor(Date.now() / 3_600_000) * 3600 - 23 * 3600);
      const sums = jobs?.hosts.map(({ host, ...kinds }) => [
        host,
        ...Object.values(kinds).map((hours) => [hours.length, hours[23]]),
      ]);
      expect(sums).toEqual([
        ["hosta", [24, 2], [24, 1], [24, 1]],
        ["hostb", [24, 0], [24, 0], [24, 0]],
      ]);
    }));

  it("tell what is wrong: areas, hosts without a worker, last jobs that failed", () =>
    onQueue(async (stage) => {
      const broken = join(stage.root, "broken");
      mkdirSync(broken);
      writeFileSync(join(broken, "megatest.config"), "");
      symlinkSync("/etc/passwd", join(broken, "megatest.db"));
      const failing = newArea(stage.root, "failing", 3);
      mkdirSync(join(failing.directory, ".mtjobs"));
      const line = {
        jobId: "x",
        job: "reduce",
        at: new Date().toISOString(),
        error: { code: "io", message: "" },
      };
      appendFileSync(join(failing.directory, ".mtjobs", "history.jsonl"), `${JSON.stringify(line)}\n`);
      await stage.enqueue("nowhere", stage.area("waiting", "nowhere"), "end");
      await setDrained(stage.redis, stage.prefix, "nowhere", "ann@hosta");
      const { wrong, areas } = await totalsOf(stage);
      expect(areas).toMatchObject({ total: 3, unusable: 1 });
      expect(wrong.list).toEqual([
        { kind: "area", area: broken, text: expect.stringMatching(/./) },
        { kind: "job", area: failing.directory, text: "the last reduce failed" },
        { kind: "host", host: "nowhere", text: "no live worker, and 1 jobs in its queue" },
        { kind: "host", host: "nowhere", text: "is drained, and still the homehost of 1 area" },
      ]);
      expect(wrong.total).toBe(4);
    }));

  it("leave out runs of an area that cannot be read, and count the others", () =>
    onQueue(async (stage) => {
      newArea(stage.root, "good", 4);
      const bad = newArea(stage.root, "bad", 4);
      edit(bad, ["area"], (db) => db.exec("DROP TABLE tests"));
      const stuck = newArea(stage.root, "stuck", 4);
      rmSync(join(stuck.directory, "megatest.db"));
      makeFifo(join(stuck.directory, "megatest.db"));
      const { areas } = await totalsOf(stage);
      expect(areas).toMatchObject({ counted: 1, runs: { "megatest.db": 4, "completed-runs.db": 0 } });
    }));

  it.runIf(canStartServer)("have the areas while Redis is away", () =>
    withServer([], async (url, redis) =>
      onQueue(async (stage) => {
        newArea(stage.root, "alone", 4);
        const server = await startServer({ ...serverEnv(stage), MTJOBS_REDIS_URL: url });
        try {
          await redis.kill();
          const { body } = await ask(`${server.url}/api/v1/totals`);
          expect(body).toMatchObject({ areas: { total: 1, counted: 1 }, jobs: null });
          expect(body.wrong.list).toMatchObject([{ kind: "redis" }]);
        } finally {
          server.child.kill("SIGTERM");
          await server.finished;
        }
      }),
    ),
  );
});
