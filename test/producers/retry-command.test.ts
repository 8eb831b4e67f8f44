import { FlowProducer } from "bullmq";
import { describe, expect, it } from "vitest";
import { documentOf, errorCodeOf, onQueue, type QueueStage, runCommand } from "../support/queue.ts";

const run = (stage: QueueStage, ...args: string[]) =>
  runCommand(args, {
    env: { MTJOBS_REDIS_URL: stage.url, MTJOBS_PREFIX: stage.prefix, MTJOBS_HOST: "hosta" },
  });

const retry = async (stage: QueueStage, ...args: string[]) =>
  documentOf(await run(stage, "retry", ...args, "--json"));

/** A reduce of `area` that its worker has refused. */
async function failedJob(stage: QueueStage, area: string, more: object = {}): Promise<string> {
  const data = { v: 1, area, runname: "refuse", requestedBy: "ann@there", ...more };
  const jobId = await stage.add("hostb", "reduce", data, { jobId: "reduce-0123456789abcdef" });
  await stage.reach("hostb", jobId, "failed");
  return jobId;
}

const errorOf = (document: Record<string, unknown>) =>
  document.error as { code: string; message: string; hint: string };

describe("retry", () => {
  it("adds the work of a failed job to its queue as a new job, once for each failure", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hostb");
      await stage.worker("hostb");
      const jobId = await failedJob(stage, area, { age: 5 });
      const first = await retry(stage, jobId);
      expect(first).toEqual({
        jobId: expect.stringMatching(/^reduce-[0-9a-f]{16}$/),
        job: "reduce",
        area,
        host: "hostb",
        duplicate: false,
        served: true,
        retryOf: jobId,
      });
      expect(first.jobId).not.toBe(jobId);
      const again = await stage.reach("hostb", String(first.jobId), "failed");
      expect(again.data).toMatchObject({ runname: "refuse", age: 5, requestedBy: expect.any(String) });
      expect((again.data as { requestedBy: string }).requestedBy).toMatch(/@hosta$/);
      expect(await stage.state("hostb", jobId)).toBe("failed");
      // It has failed as well: this one is to be retried, not the first.
      const refused = errorOf(await retry(stage, jobId));
      expect(refused).toMatchObject({
        code: "usage",
        hint: expect.stringContaining(`mtjobs retry ${again.id}`),
      });
      expect((await retry(stage, String(again.id))).retryOf).toBe(again.id);
    }));

  it("adds nothing while the retried job, or the same work, is unfinished", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hostb");
      const worker = await stage.worker("hostb");
      const jobId = await failedJob(stage, area);
      worker.child.kill("SIGTERM");
      await worker.exited;
      const both = await Promise.all([retry(stage, jobId), retry(stage, jobId)]);
      expect(new Set(both.map((one) => one.jobId)).size).toBe(1);
      expect(await retry(stage, jobId)).toMatchObject({ jobId: both[0].jobId, duplicate: true });
      const other = await stage.queue("hostb").getWaiting();
      expect(other.map(({ id }) => id)).toEqual([both[0].jobId]);
      await other[0]?.remove();
      const same = await stage.enqueue("hostb", area, "refuse");
      expect(await retry(stage, jobId)).toMatchObject({ jobId: same, duplicate: true });
    }));

  it("refuses a job that has not failed, and says what it is", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      const waiting = await stage.enqueue("hosta", area, "hold");
      expect(errorOf(await retry(stage, waiting))).toMatchObject({
        code: "usage",
        message: `job ${waiting} has not failed: it is waiting`,
      });
      await run(stage, "cancel", waiting);
      expect(errorOf(await retry(stage, waiting)).message).toMatch(/it is cancelled$/);
      const unknown = await run(stage, "retry", "reduce-0123", "--json");
      expect([unknown.code, errorCodeOf(unknown)]).toEqual([2, "unknown-job"]);
    }));

  it("refuses an internal step, a take-over, a purge without exports, data that is invalid, and the child of a flow", () =>
    onQueue(async (stage) => {
      const area = stage.area("a1", "hosta");
      await stage.worker("hosta");
      const fails = async (name: string, data: object) => {
        const jobId = await stage.add("hosta", name, data);
        await stage.reach("hosta", jobId, "failed");
        return errorOf(await retry(stage, jobId));
      };
      expect(await fails("made-up", {})).toMatchObject({ code: "usage" });
      expect(await fails("reduce", { v: 1, area: "not absolute" })).toMatchObject({ code: "bad-payload" });
      const takeover = { v: 1, area: `${area}-gone`, to: "hosta", takeover: true, confirmed: true };
      expect(await fails("migrate", takeover)).toMatchObject({
        code: "usage",
        hint: expect.stringContaining("--takeover"),
      });
      const purge = { v: 1, area: `${area}-gone`, runname: "%", export: false, confirmed: true };
      expect(await fails("purge", purge)).toMatchObject({
        code: "usage",
        message: expect.stringContaining("must be confirmed again"),
      });
      const producer = new FlowProducer({ connection: stage.redis, prefix: stage.prefix });
      const data = { v: 1, area, runname: "refuse" };
      const child = { name: "reduce", queueName: "host.hosta", data, opts: { jobId: "reduce-flow" } };
      await producer.add({ name: "report", queueName: "reports", children: [child] });
      await producer.close();
      await stage.reach("hosta", "reduce-flow", "failed");
      expect(errorOf(await retry(stage, "reduce-flow")).hint).toContain("job.retry()");
    }));
});
