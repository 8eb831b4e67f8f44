import { readdirSync, readlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { moveResultSchema } from "../../shared/contract/move-result.ts";
import { parsePayload } from "../../shared/contract/payload.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import { runInline } from "../../workers/inline.ts";
import { onQueue, type QueueStage, realArea, realWorker } from "../support/queue.ts";

const sampleArea = (stage: QueueStage) => realArea(stage, { runs: 12, testsPerRun: 10 });

test("a worker's thread reduces a real area and its job carries the result", () =>
  onQueue(async (stage) => {
    const area = sampleArea(stage);
    await realWorker(stage, area);
    const id = await stage.enqueue("hostA", area.directory, "%");
    const job = await stage.reach("hostA", id, "completed", 30_000);
    expect(job.returnvalue).toMatchObject({
      jobId: id,
      host: "hostA",
      state: "completed",
      moved: { runs: 10 },
    });
    expect(moveResultSchema.parse(job.returnvalue)).toEqual(job.returnvalue);
    expect((await stage.story("hostA", id)).at(-1)).toMatch(/^Done: moved 10 runs in [\d.]+ s; 2 stay\.$/);
  }));

test("a worker's thread brings the runs of a real area back", () =>
  onQueue(async (stage) => {
    const area = sampleArea(stage);
    const flags = { host: "hostA", cacheRoot: area.cacheRoot, user: area.user, areas: stage.root };
    const settings = resolveSettings({ flags });
    const reduced = parsePayload("reduce", { v: 1, area: area.directory, runname: "%" });
    await runInline("reduce", reduced, settings);
    await realWorker(stage, area);
    const id = "restore-by-hand";
    const data = { v: 1, area: area.directory, runId: [3, 4], grace: 0 };
    await stage.add("hostA", "restore", data, { jobId: id });
    const job = await stage.reach("hostA", id, "completed", 30_000);
    expect(job.returnvalue).toMatchObject({ job: "restore", state: "completed", moved: { runs: 2 } });
    expect(moveResultSchema.parse(job.returnvalue)).toEqual(job.returnvalue);
    expect((await stage.story("hostA", id)).at(-1)).toMatch(/^Done: restored 2 runs in [\d.]+ s; 0 stay\.$/);
  }));

test("a job whose id is made of quotes and SQL is done by a worker as any other", () =>
  onQueue(async (stage) => {
    const area = sampleArea(stage);
    await realWorker(stage, area);
    const data = { v: 1, area: area.directory, runname: "%" };
    for (const [index, jobId] of ["o'brien", "x' OR '1' = '1", "x'; DROP TABLE runs; --"].entries()) {
      await stage.add("hostA", "reduce", { ...data, runname: undefined, runId: [index + 1] }, { jobId });
      const job = await stage.reach("hostA", jobId, "completed", 30_000);
      expect(job.returnvalue).toMatchObject({ jobId, moved: { runs: 1 } });
    }
  }));

test.skipIf(process.platform !== "linux")("a job leaves no database open in the worker", () =>
  onQueue(async (stage) => {
    const area = sampleArea(stage);
    const worker = await realWorker(stage, area);
    const opened = () =>
      readdirSync(`/proc/${worker.child.pid}/fd`)
        .map((fd) => readlinkSync(`/proc/${worker.child.pid}/fd/${fd}`))
        .filter((file) => file.startsWith(stage.root));
    const reduce = { v: 1, area: area.directory, runname: "%" };
    const jobs = [
      ["reduce", { ...reduce, dryRun: true }],
      ["reduce", reduce],
      ["restore", { v: 1, area: area.directory, runId: [3, 4], grace: 0 }],
      ["reduce", { ...reduce, runname: "none of them" }],
    ] as const;
    const id = (index: number) => `${jobs[index]?.[0]}-${index}`;
    for (const [index, [name, data]] of jobs.entries()) {
      await stage.add("hostA", name, data, { jobId: id(index) });
      await stage.reach("hostA", id(index), "completed", 30_000);
      expect(opened()).toEqual([]);
    }
  }),
);

test("the same job done inline needs no Redis and gives the same kind of result", () =>
  onQueue(async (stage) => {
    const area = sampleArea(stage);
    const settings = resolveSettings({
      flags: {
        host: "hostA",
        cacheRoot: area.cacheRoot,
        user: area.user,
        areas: stage.root,
        redisUrl: "redis://127.0.0.1:1",
      },
    });
    const payload = parsePayload("reduce", { v: 1, area: area.directory, runname: "%" });
    const result = await runInline("reduce", payload, settings);
    expect(result).toMatchObject({ job: "reduce", state: "completed", moved: { runs: 10 } });
  }));
