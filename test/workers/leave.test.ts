import { expect, test } from "vitest";
import { waitFor } from "../support/area.ts";
import { onQueue } from "../support/queue.ts";

test("SIGTERM ends the batch, puts the job back unspent and leaves within seconds", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostA");
    const worker = await stage.worker("hostA");
    const id = await stage.enqueue("hostA", area, "hold");
    await stage.traced(area, "begin");
    const toldAt = Date.now();
    worker.child.kill("SIGTERM");
    expect(await worker.exited).toBe(0);
    expect(Date.now() - toldAt).toBeLessThan(5000);
    await stage.traced(area, "aborted-stopped");
    const job = await stage.reach("hostA", id, "waiting");
    expect(job.attemptsMade).toBe(0);
    stage.release(area);
    await stage.worker("hostA");
    await stage.reach("hostA", id, "completed");
  }));

test("a worker without work leaves at once when told to", () =>
  onQueue(async (stage) => {
    const worker = await stage.worker("hostA");
    worker.child.kill("SIGINT");
    expect(await worker.exited).toBe(0);
    expect(await stage.redis.exists(`${stage.prefix}:alive:hostA`)).toBe(0);
  }));

test("a second signal ends the worker at once, even in a step that never ends", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostA");
    const worker = await stage.worker("hostA");
    await stage.enqueue("hostA", area, "hang");
    await stage.traced(area, "begin");
    worker.child.kill("SIGTERM");
    await waitFor("the first signal to be taken", () =>
      worker.stderr().includes("finishing the current batch"),
    );
    const toldAt = Date.now();
    worker.child.kill("SIGINT");
    expect(await worker.exited).toBe("SIGINT");
    expect(Date.now() - toldAt).toBeLessThan(1500);
  }));

test("a step that never ends is given up after some seconds and its job put back", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostA");
    const worker = await stage.worker("hostA");
    const id = await stage.enqueue("hostA", area, "hang");
    await stage.traced(area, "begin");
    const toldAt = Date.now();
    worker.child.kill("SIGTERM");
    expect(await worker.exited).toBe("SIGTERM");
    expect(Date.now() - toldAt).toBeLessThan(9000);
    expect(await stage.state("hostA", id)).toBe("waiting");
  }));
