import { expect, test } from "vitest";
import { isCancelRequested, requestCancel } from "../../../shared/queue/cancel.ts";
import { openQueue } from "../../../shared/queue/connections.ts";
import { withRedis } from "../../support/redis.ts";

test("a job that has not begun is taken from its queue when cancelled, delayed or not, and kept as failed", () =>
  withRedis(async (redis, prefix) => {
    const queue = openQueue(redis, { prefix }, "hostA");
    const queues = { redis, settings: { prefix }, queue: () => queue };
    for (const delay of [0, 60_000]) {
      const { id = "" } = await queue.add("reduce", {}, { delay, jobId: `reduce-x${delay}` });
      expect(await requestCancel(queues, "hostA", id)).toBe("removed");
      expect(await queue.getJobState(id)).toBe("failed");
      expect((await queue.getJob(id))?.failedReason).toContain('"code":"cancelled"');
      expect(await isCancelRequested(redis, prefix, id)).toBe(true);
    }
    expect(await requestCancel(queues, "hostA", "reduce-none")).toBe("unknown");
    await queue.close();
  }));
