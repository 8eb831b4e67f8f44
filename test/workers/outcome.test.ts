import { expect, test } from "vitest";
import { decodeFailure } from "../../shared/contract/failure.ts";
import { areaLockKeys } from "../../workers/locks/lock-keys.ts";
import { waitFor } from "../support/area.ts";
import { onQueue } from "../support/queue.ts";

test("malformed data fails at once with the reason and is not tried again", () =>
  onQueue(async (stage) => {
    await stage.worker("hostA");
    const id = await stage.add("hostA", "reduce", { v: 1, area: "relative", runname: "%" }, { attempts: 5 });
    const job = await stage.reach("hostA", id, "failed");
    expect(job.attemptsMade).toBe(1);
    expect(decodeFailure(job.failedReason)).toMatchObject({ code: "bad-payload" });
    expect(job.failedReason).toContain("must be an absolute path");
  }));

test("a job with an unknown name fails at once", () =>
  onQueue(async (stage) => {
    await stage.worker("hostA");
    const id = await stage.add("hostA", "explode", {}, { attempts: 5 });
    const job = await stage.reach("hostA", id, "failed");
    expect(decodeFailure(job.failedReason)).toMatchObject({ code: "bad-payload" });
  }));

test("a job for an area outside of the roots is refused without a second attempt", () =>
  onQueue(async (stage) => {
    await stage.worker("hostA");
    const id = await stage.enqueue("hostA", "/etc", "hold");
    const job = await stage.reach("hostA", id, "failed");
    expect(decodeFailure(job.failedReason).code).toBe("outside-roots");
    expect(job.attemptsMade).toBe(1);
  }));

test("a refusal is final and a busy database is tried again", () =>
  onQueue(async (stage) => {
    await stage.worker("hostA");
    const pinned = stage.area("pinned", "hostA");
    const busy = stage.area("busy", "hostA");
    const refused = await stage.reach("hostA", await stage.enqueue("hostA", pinned, "refuse"), "failed");
    expect(decodeFailure(refused.failedReason).code).toBe("pinned");
    expect(stage.trace(pinned)).toHaveLength(1);
    const failed = await stage.reach("hostA", await stage.enqueue("hostA", busy, "busy"), "failed");
    expect(decodeFailure(failed.failedReason).code).toBe("busy");
    expect(stage.trace(busy)).toHaveLength(2);
  }));

test("a thread that ends without a result fails its job with what is known", () =>
  onQueue(async (stage) => {
    await stage.worker("hostA");
    const area = stage.area("a", "hostA");
    const job = await stage.reach("hostA", await stage.enqueue("hostA", area, "exit"), "failed");
    expect(decodeFailure(job.failedReason)).toMatchObject({
      code: "internal",
      details: { exitCode: 7, lastSentence: "the script is exit" },
    });
  }));

test("progress and the story of a running job are in Redis while it runs", () =>
  onQueue(async (stage) => {
    await stage.worker("hostA");
    const area = stage.area("a", "hostA");
    const id = await stage.enqueue("hostA", area, "hold");
    await stage.traced(area, "begin");
    await waitFor("progress", async () => {
      const { progress } = await stage.reach("hostA", id, "active");
      return (
        typeof progress === "object" && "rows" in progress && (progress.rows as { done: number }).done > 5
      );
    });
    expect(await stage.story("hostA", id)).toEqual([
      expect.stringMatching(/^Worker \d+ on hostA started the job/),
      "the script is hold",
    ]);
  }));

test("a job names the worker that took it, and BullMQ counts the jobs that completed and that failed", () =>
  onQueue(async (stage) => {
    const { child } = await stage.worker("hostA");
    const area = stage.area("a", "hostA");
    stage.release(area);
    const job = await stage.reach("hostA", await stage.enqueue("hostA", area, "hold"), "completed");
    expect(job.processedBy).toBe(`${child.pid}@hostA`);
    await stage.reach("hostA", await stage.enqueue("hostA", area, "refuse"), "failed");
    const queue = stage.queue("hostA");
    const counts = [await queue.getMetrics("completed"), await queue.getMetrics("failed")];
    expect(counts.map(({ meta }) => meta.count)).toEqual([1, 1]);
    expect((await queue.getWorkers()).map(({ rawname }) => rawname)).toEqual([
      expect.stringMatching(new RegExp(`:w:${child.pid}@hostA$`)),
    ]);
  }));

test("a job's progress has a percentage, which is 100 once the job has completed and not before", () =>
  onQueue(async (stage) => {
    await stage.worker("hostA");
    const area = stage.area("a", "hostA");
    const id = await stage.enqueue("hostA", area, "hold");
    const percent = async () => (await stage.queue("hostA").getJob(id))?.progress as { progress?: number };
    const running = await waitFor("progress", async () => (await percent()).progress);
    expect(running).toBeLessThan(100);
    stage.release(area);
    const { progress } = await stage.reach("hostA", id, "completed");
    const all = { done: 0, total: 0 };
    expect(progress).toEqual({ phase: "done", runs: all, rows: all, progress: 100 });
  }));

test("cancelling a running job ends it at its next batch and for good", () =>
  onQueue(async (stage) => {
    await stage.worker("hostA");
    const area = stage.area("a", "hostA");
    const id = await stage.enqueue("hostA", area, "hold");
    await stage.traced(area, "begin");
    expect(await stage.cancel("hostA", id)).toBe("requested");
    const job = await stage.reach("hostA", id, "failed");
    expect(decodeFailure(job.failedReason).code).toBe("cancelled");
    await stage.traced(area, "aborted-cancelled");
    expect(await stage.cancel("hostA", id)).toBe("finished");
  }));

test("a job whose area lock is lost stops at its next batch and is tried again", () =>
  onQueue(async (stage) => {
    await stage.worker("hostA");
    const area = stage.area("a", "hostA");
    const id = await stage.enqueue("hostA", area, "hold");
    await stage.traced(area, "begin");
    const keys = areaLockKeys(stage.prefix, { realPath: area, areaId: null });
    await Promise.all(keys.map((key) => stage.redis.set(key, "somebody else", "PX", 1000)));
    await stage.traced(area, "aborted-lost-lease");
    stage.release(area);
    const job = await stage.reach("hostA", id, "completed", 25_000);
    expect(job.attemptsMade).toBe(2);
  }));

test("a job whose own lock is taken away stops at its next batch", () =>
  onQueue(async (stage) => {
    await stage.worker("hostA");
    const area = stage.area("a", "hostA");
    const id = await stage.enqueue("hostA", area, "hold");
    await stage.traced(area, "begin");
    await stage.redis.set(`${stage.prefix}:host.hostA:${id}:lock`, "stolen", "PX", 60_000);
    await stage.traced(area, "aborted-lost-lease");
  }));

test("a job waits unspent while another host's job holds the area", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostA");
    stage.release(area);
    const [key = ""] = areaLockKeys(stage.prefix, { realPath: area, areaId: null });
    await stage.redis.set(key, "somebody else", "PX", 60_000);
    await stage.worker("hostA");
    const id = await stage.enqueue("hostA", area, "hold");
    const job = await stage.reach("hostA", id, "delayed");
    expect(job.attemptsMade).toBe(0);
    expect((await stage.story("hostA", id)).at(-1)).toContain("working on this area");
    await stage.redis.del(key);
    const done = await stage.reach("hostA", id, "completed");
    expect(done.attemptsMade).toBe(1);
  }));
