import { expect, test } from "vitest";
import { retryWhileBusy } from "../../workers/area-db/transaction.ts";
import { BatchSize } from "../../workers/move/session/batch-size.ts";
import { type Metric, onMetric } from "../../workers/threads/metrics-channel.ts";
import { waitFor } from "../support/area.ts";

test("metrics of locks, batches and waits for a busy database reach a listener, and only while it listens", async () => {
  const received: Metric[] = [];
  const stop = onMetric((figure) => received.push(figure));
  const batchSize = new BatchSize("cache");
  batchSize.hold(7);
  batchSize.settle(3);
  let tries = 0;
  const attempt = () => {
    if (tries++ < 2) throw Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY" });
    return "done";
  };
  expect(await retryWhileBusy(new AbortController().signal, attempt)).toBe("done");
  await waitFor("the figures", () => received.length >= 3);
  stop();
  batchSize.hold(8);
  expect(received).toEqual([
    { kind: "lock", part: "cache", ms: 7 },
    { kind: "batch", part: "cache", tests: 3 },
    { kind: "wait", ms: expect.any(Number) },
  ]);
  expect((received[2] as { ms: number }).ms).toBeGreaterThan(5);
});
