import { FlowProducer, Queue } from "bullmq";
import type { Redis } from "ioredis";
import { expect, test } from "vitest";
import { waitFor } from "../support/area.ts";
import { onQueue, type QueueStage } from "../support/queue.ts";

/** A queue of another tool, whose jobs have jobs of mtjobs as children. */
const reports = "reports";

/** Adds a report that waits for a reduce by `script` in the queue of hostA. */
async function addFlow(stage: QueueStage, area: string, script: string, opts: object = {}) {
  const producer = new FlowProducer({ connection: stage.redis as Redis, prefix: stage.prefix });
  const data = { v: 1, area, runname: script };
  const child = { name: "reduce", queueName: "host.hostA", data, opts: { jobId: "reduce-flow", ...opts } };
  const flow = await producer.add({ name: "report", queueName: reports, data: {}, children: [child] });
  await producer.close();
  return flow.job;
}

function reportsOf(stage: QueueStage): Queue {
  return new Queue(reports, { connection: stage.redis as Redis, prefix: stage.prefix });
}

async function waitForState(queue: Queue, id: string, wanted: string): Promise<void> {
  const state = () => queue.getJobState(id);
  await waitFor(`the report to be ${wanted}`, async () => (await state()) === wanted, { state });
}

test("a flow's parent waits for the work of a child that was forwarded to the homehost", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostB");
    await stage.worker("hostB");
    await stage.worker("hostA");
    const { id = "" } = await addFlow(stage, area, "hold");
    await stage.traced(area, "begin");
    await stage.reach("hostA", "reduce-flow", "completed");
    const queue = reportsOf(stage);
    expect(await queue.getJobState(id)).toBe("waiting-children");
    stage.release(area);
    await stage.reach("hostB", "reduce-flow", "completed");
    await waitForState(queue, id, "waiting");
    const values = await (await queue.getJob(id))?.getChildrenValues();
    expect(values).toEqual({
      [`${stage.prefix}:host.hostA:reduce-flow`]: { forwarded: { host: "hostB", jobId: "reduce-flow" } },
      [`${stage.prefix}:host.hostB:reduce-flow`]: expect.objectContaining({
        state: "completed",
        host: "hostB",
      }),
    });
    await queue.close();
  }));

test("a forwarded child that fails lets its flow's parent fail if the flow says so", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostB");
    await stage.worker("hostB");
    await stage.worker("hostA");
    const { id = "" } = await addFlow(stage, area, "refuse", { failParentOnFailure: true });
    await stage.reach("hostB", "reduce-flow", "failed");
    const queue = reportsOf(stage);
    // A failed child moves its parent to the waiting jobs, and the parent's worker fails it.
    await waitForState(queue, id, "waiting");
    expect(await stage.redis.hget(queue.toKey(id), "defa")).toMatch(/host\.hostB:reduce-flow failed/);
    await queue.close();
  }));

test("a child whose flow's parent was removed is forwarded all the same", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostB");
    stage.release(area);
    const { id = "" } = await addFlow(stage, area, "hold");
    const queue = reportsOf(stage);
    await stage.redis.del(queue.toKey(id));
    await stage.worker("hostB");
    await stage.worker("hostA");
    await stage.reach("hostB", "reduce-flow", "completed");
    await queue.close();
  }));
