import { expect, test } from "vitest";
import { isCancelRequested, requestCancel } from "../../../shared/queue/cancel.ts";
import { openQueue } from "../../../shared/queue/connections.ts";
import { withRedis } from "../../support/redis.ts";

test("a job that has not begun is removed when cancelled, delayed or not", () =>
  withRedis(async (redis, prefix) => {
    const queue = openQueue(redis, { prefix }, "hostA");
    for (const delay of [0, 60_000]) {
      const { id = "" } = await queue.add("reduce", {}, { delay, jobId: `reduce-x${delay}` });
      expect(await requestCancel(redis, { prefix }, "hostA", id)).toBe("removed");
      expect(await queue.getJobState(id)).toBe("unknown");
      expect(await isCancelRequested(redis, prefix, id)).toBe(true);
    }
    expect(await requestCancel(redis, { prefix }, "hostA", "reduce-none")).toBe("unknown");
    await queue.close();
  }));
