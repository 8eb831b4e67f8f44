import { expect, test } from "vitest";
import { parsePayload } from "../../../shared/contract/payload.ts";
import { openQueue } from "../../../shared/queue/connections.ts";
import { deduplicationId, enqueueOptions } from "../../../shared/queue/enqueue-options.ts";
import { newJobId, queueName } from "../../../shared/queue/names.ts";
import { withRedis } from "../../support/queue.ts";

const payload = (more: object = {}) => parsePayload("reduce", { v: 1, area: "/a", runname: "%", ...more });

test("the same work asked for by two people in another order of members is one job", () => {
  const mine = payload({ requestedBy: "me", keep: 2, age: 5 });
  const yours = payload({ age: 5, keep: 2, requestedBy: "you" });
  expect(deduplicationId("reduce", mine)).toBe(deduplicationId("reduce", yours));
  expect(deduplicationId("reduce", mine)).not.toBe(deduplicationId("reduce", payload({ keep: 3, age: 5 })));
  expect(deduplicationId("reduce", payload({ runId: [1, 2] }))).not.toBe(
    deduplicationId("reduce", payload({ runId: [2, 1] })),
  );
  expect(deduplicationId("reduce", payload({ runId: ["1", 2] }))).toBe(
    deduplicationId("reduce", payload({ runId: [1, "2"] })),
  );
});

test("a second request while the first is unfinished gets the first one's id", () =>
  withRedis(async (redis, prefix) => {
    const queue = openQueue(redis, { prefix }, "hostA");
    const add = () => {
      const data = payload();
      return queue.add("reduce", data, enqueueOptions("reduce", data, newJobId("reduce")));
    };
    const first = await add();
    expect((await add()).id).toBe(first.id);
    expect(await queue.count()).toBe(1);
    await first.remove();
    expect((await add()).id).not.toBe(first.id);
    await queue.close();
  }));

test("queues are named after hosts, and job ids after jobs without a colon or a bare number", () => {
  expect(queueName("hostA")).toBe("host.hostA");
  expect(newJobId("reduce")).toMatch(/^reduce-[0-9a-f]{16}$/);
});
