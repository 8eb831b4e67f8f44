import { describe, expect, it } from "vitest";
import { JobsError, MtJobs } from "../../entry/library.ts";
import { healthyArea } from "../support/area.ts";
import { divideArea, onQueue, type QueueStage, reduceAndKill, withLibrary } from "../support/queue.ts";

/** Runs `body` with a stage and a library of its own. */
const onQueueWithLibrary = (body: (mtjobs: MtJobs, stage: QueueStage) => Promise<void>) =>
  onQueue((stage) => withLibrary(stage, (mtjobs) => body(mtjobs, stage)));

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "none",
    (error: unknown) => (error instanceof JobsError ? error.code : error),
  );

describe("the library", () => {
  it("enqueues a reduce, follows it with its progress, and gives its result", () =>
    onQueueWithLibrary(async (mtjobs, stage) => {
      const area = stage.area("a1", "hosta");
      await stage.worker("hosta");
      const job = await mtjobs.reduce(area, { runname: "hold", age: "30d" });
      expect(job).toMatchObject({ host: "hosta", area, duplicate: false, served: true });
      const phases = new Set<string>();
      const result = job.result({
        onProgress: ({ phase }) => {
          phases.add(phase);
          stage.release(area);
        },
      });
      expect(await result).toMatchObject({ jobId: job.jobId, state: "completed" });
      expect([...phases]).toEqual(["hold", "done"]);
      expect((await mtjobs.job(job.jobId)).data).toMatchObject({ age: 30 * 86_400_000 });
    }));

  it("enqueues a restore with its own options and gives its result", () =>
    onQueueWithLibrary(async (mtjobs, stage) => {
      const area = stage.area("a1", "hosta");
      await stage.worker("hosta");
      stage.release(area);
      const job = await mtjobs.restore(area, {
        runname: "hold",
        age: "1h",
        grace: "1m",
        onConflict: "rename",
      });
      expect(job).toMatchObject({ job: "restore", host: "hosta", area, duplicate: false });
      expect(await job.result()).toMatchObject({ job: "restore", state: "completed" });
      expect((await mtjobs.job(job.jobId)).data).toMatchObject({
        ...{ age: 3_600_000, grace: 60_000, onConflict: "rename", touch: false },
      });
    }));

  it("runs a restore in this process without Redis, and rejects its result with a typed error", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const mtjobs = new MtJobs({ redisUrl: "redis://127.0.0.1:1", host: "hosta", cacheRoot: stage.root });
      const job = await mtjobs.restore(area, { runname: "%", inline: true });
      expect(job).toMatchObject({ host: "hosta", area });
      // Its megatest.db is empty.
      await expect(job.result()).rejects.toThrow(JobsError);
      await mtjobs.close();
    }));

  it("rejects a result with the job's own error, and a waiting that ends early with its reason", () =>
    onQueueWithLibrary(async (mtjobs, stage) => {
      const area = stage.area("a1", "hosta");
      await stage.worker("hosta");
      const refused = await mtjobs.reduce(area, { runname: "refuse" });
      expect(await codeOf(refused.result())).toBe("pinned");
      const retried = await mtjobs.retry(refused.jobId);
      expect(retried).toMatchObject({ retryOf: refused.jobId, area, duplicate: false });
      expect(await codeOf(retried.result())).toBe("pinned");
      expect(await codeOf(mtjobs.retry("reduce-0"))).toBe("unknown-job");
      const held = await mtjobs.reduce(area, { runname: "hold" });
      expect(await codeOf(held.result({ timeout: 300 }))).toBe("timeout");
      expect(await codeOf(held.result({ signal: AbortSignal.timeout(300) }))).toBe("interrupted");
      expect(await mtjobs.cancel(held.jobId)).toMatchObject({ outcome: "requested" });
      expect(await codeOf(held.result())).toBe("cancelled");
    }));

  it("lists jobs and hosts, and opens its connection anew after it was closed", () =>
    onQueueWithLibrary(async (mtjobs, stage) => {
      const area = stage.area("a1", "hosta");
      const { jobId } = await mtjobs.reduce(area, { runname: "later" });
      await mtjobs.close();
      await mtjobs.close();
      expect(await mtjobs.jobs({ states: ["waiting"] })).toMatchObject([{ jobId, area }]);
      expect((await mtjobs.status()).hosts).toMatchObject([
        { host: "hosta", counts: { waiting: 1 }, worker: null },
      ]);
      expect(await mtjobs.status(area)).toMatchObject({ area, homehost: "hosta", atHome: true });
    }));

  it("rejects with typed errors: bad options, no area, Redis away", async () => {
    const mtjobs = new MtJobs({ redisUrl: "redis://127.0.0.1:1", host: "hosta" });
    expect(await codeOf(mtjobs.reduce("/", {}))).toBe("usage");
    expect(await codeOf(mtjobs.restore("/", { touch: true }))).toBe("usage");
    expect(await codeOf(mtjobs.restore("/nowhere", { runname: "%", grace: "soon" }))).toBe("usage");
    expect(await codeOf(mtjobs.restore("/nowhere", { runname: "%", grace: 3_600_001 }))).toBe("bad-payload");
    expect(await codeOf(mtjobs.reduce("/nowhere", { runname: "%" }))).toBe("not-an-area");
    expect(await codeOf(mtjobs.reduce("/nowhere", { age: "soon" }))).toBe("usage");
    expect(await codeOf(mtjobs.jobs())).toBe("redis-unreachable");
    await mtjobs.close();
    expect(() => new MtJobs({ redisUrl: "http://x" })).toThrow(JobsError);
  });

  it("examines an area without Redis, and repairs it on request", async () => {
    const area = healthyArea();
    const { host, user, cacheRoot, directory } = area;
    const mtjobs = new MtJobs({ host, user, cacheRoot, redisUrl: "redis://127.0.0.1:1" });
    expect(await mtjobs.doctor(directory, { repair: true })).toMatchObject({ ok: true, repair: null });
    expect(await reduceAndKill(area, "committed-in-cache", 1)).toBe("SIGKILL");
    const sick = await mtjobs.doctor(directory);
    expect(sick).toMatchObject({ area: directory, ok: false });
    expect(sick.checks.find(({ name }) => name === "half-moved")).toMatchObject({ ok: false });
    expect(sick).not.toHaveProperty("repair");
    const story: string[] = [];
    const repaired = await mtjobs.doctor(directory, { repair: true, onLog: (line) => story.push(line) });
    expect(repaired).toMatchObject({ ok: true, repair: { job: "repair", state: "completed" } });
    expect(story.length).toBeGreaterThan(0);
    expect(await codeOf(mtjobs.doctor("/nowhere"))).toBe("not-an-area");
    await mtjobs.close();
  });

  it("opens a read-only connection on which queries see the runs of both databases", async () => {
    const { area } = await divideArea([1, 2, 3]);
    const mtjobs = new MtJobs({
      host: area.host,
      user: area.user,
      cacheRoot: area.cacheRoot,
      redisUrl: "redis://127.0.0.1:1",
    });
    const db = await mtjobs.openFullDb(area.directory);
    const query = db.prepare(
      "SELECT r.id, count(t.id) AS n FROM runs r LEFT JOIN tests t ON t.run_id = r.id WHERE r.id <= :last GROUP BY r.id ORDER BY r.id",
    );
    expect([...query.iterate({ last: 4 })]).toEqual([1, 2, 3, 4].map((id) => ({ id, n: 10 })));
    expect(query.columns).toEqual(["id", "n"]);
    expect([...db.prepare("SELECT id, id FROM runs WHERE id = ?").iterateRaw(2)]).toEqual([[2, 2]]);
    expect(db.connection.prepare("SELECT count(*) FROM runs").pluck().get()).toBe(12);
    expect(() => db.prepare("DELETE FROM runs")).toThrow(expect.objectContaining({ code: "read-only" }));
    db.close();
    await mtjobs.close();
    expect(await codeOf(mtjobs.openFullDb("/nowhere"))).toBe("not-an-area");
  });
});
