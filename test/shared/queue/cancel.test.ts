import { expect, test } from "vitest";
import { JobsError } from "../../../shared/errors.ts";
import { isCancelRequested, requestCancel } from "../../../shared/queue/cancel.ts";
import { openQueue } from "../../../shared/queue/connections.ts";
import { readDeferral, recordDeferral } from "../../../shared/queue/deferrals.ts";
import { withRedis } from "../../support/queue.ts";

test("a job that has not begun is taken from its queue when cancelled, delayed or not, and kept as failed", () =>
  withRedis(async (redis, prefix) => {
    const queue = openQueue(redis, { prefix }, "hostA");
    const queues = { redis, settings: { prefix }, queue: () => queue };
    for (const delay of [0, 60_000]) {
      const { id = "" } = await queue.add("reduce", {}, { delay, jobId: `reduce-x${delay}` });
      expect(await requestCancel(queues, { host: "hostA", jobId: id })).toBe("removed");
      expect(await queue.getJobState(id)).toBe("failed");
      expect((await queue.getJob(id))?.failedReason).toContain('"code":"cancelled"');
      expect(await isCancelRequested(redis, prefix, { host: "hostA", jobId: id })).toBe(true);
    }
    expect(await requestCancel(queues, { host: "hostA", jobId: "reduce-none" })).toBe("unknown");
    await queue.close();
  }));

test("two hosts' jobs of the same number are cancelled and put off each for itself", () =>
  withRedis(async (redis, prefix) => {
    const queue = openQueue(redis, { prefix }, "hostA");
    const queues = { redis, settings: { prefix }, queue: () => queue };
    const first = { host: "hostA", jobId: (await queue.add("reduce", {})).id ?? "" };
    const other = { host: "hostB", jobId: first.jobId };
    expect(first.jobId).toBe("1");
    expect(await requestCancel(queues, first)).toBe("removed");
    await recordDeferral(redis, prefix, first, new JobsError("locked", "held"));
    expect(await isCancelRequested(redis, prefix, first)).toBe(true);
    expect(await isCancelRequested(redis, prefix, other)).toBe(false);
    expect((await readDeferral(redis, prefix, first))?.code).toBe("locked");
    expect(await readDeferral(redis, prefix, other)).toBeUndefined();
    // An id that is no number goes with the job that is passed on: so does the wish to end it.
    await redis.set(`${prefix}:cancel:reduce-x`, "1");
    expect(await isCancelRequested(redis, prefix, { host: "anywhere", jobId: "reduce-x" })).toBe(true);
    await queue.close();
  }));
