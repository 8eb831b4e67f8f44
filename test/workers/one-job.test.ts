import { expect, test } from "vitest";
import { decodeFailure } from "../../shared/contract/failure.ts";
import { isForwarded } from "../../shared/queue/names.ts";
import { isCampaign, waitFor } from "../support/area.ts";
import { onQueue, type QueueStage } from "../support/queue.ts";

test("two workers of one host run one job at a time between them", () =>
  onQueue(async (stage) => {
    const areas = ["a", "b", "c", "d"].map((name) => stage.area(name, "hostA"));
    await stage.worker("hostA");
    await stage.worker("hostA");
    const jobs = await Promise.all(areas.map((area) => stage.enqueue("hostA", area, "hold")));
    for (let round = 0; round < areas.length; round++) {
      const begun = await expectOneMore(stage, areas, round);
      stage.release(begun);
      await stage.traced(begun, "end");
    }
    for (const job of jobs) await stage.reach("hostA", job, "completed");
    const spans = areas.map((area) => stage.trace(area).map(({ at }) => at));
    spans.sort((x, y) => (x[0] ?? 0) - (y[0] ?? 0));
    for (const [index, span] of spans.entries()) {
      if (index > 0) expect(span[0]).toBeGreaterThanOrEqual(spans[index - 1]?.[1] ?? Infinity);
    }
  }));

async function expectOneMore(stage: QueueStage, areas: string[], finished: number): Promise<string> {
  const begun = () => areas.filter((area) => stage.trace(area).length > 0);
  await waitFor("the next job to begin", () => begun().length > finished);
  expect(begun()).toHaveLength(finished + 1);
  return begun().find((area) => stage.trace(area).length === 1) ?? "";
}

test("a job that reaches another host's worker goes on under its id in the homehost's queue", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostB");
    stage.release(area);
    await stage.worker("hostB");
    await stage.worker("hostA");
    const id = await stage.enqueue("hostA", area, "hold");
    const here = await stage.reach("hostA", id, "completed");
    expect(isForwarded(here.returnvalue)).toBe(true);
    expect(here.returnvalue).toEqual({ forwarded: { host: "hostB", jobId: id } });
    expect((await stage.story("hostA", id)).join("\n")).toContain("hostB's queue");
    const there = await stage.reach("hostB", id, "completed");
    expect(there.returnvalue).toMatchObject({ host: "hostB", state: "completed" });
    expect(stage.trace(area).map(({ host }) => host)).toEqual(["hostB", "hostB"]);
  }));

test("a job that another tool added without an id continues under an id of mtjobs", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostB");
    stage.release(area);
    await stage.worker("hostB");
    await stage.worker("hostA");
    const id = await stage.add("hostA", "restore", { v: 1, area, runname: "hold" });
    expect(id).toBe("1");
    const { returnvalue } = await stage.reach("hostA", id, "completed");
    expect(returnvalue).toEqual({
      forwarded: { host: "hostB", jobId: expect.stringMatching(/^restore-[0-9a-f]{16}$/) },
    });
    const there = await stage.reach("hostB", returnvalue.forwarded.jobId, "completed");
    expect(there.returnvalue).toMatchObject({ job: "restore", host: "hostB", state: "completed" });
  }));

test("cancelling a forwarded job by where it was asked for meets it where it runs", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostB");
    await stage.worker("hostB");
    await stage.worker("hostA");
    const id = await stage.enqueue("hostA", area, "hold");
    await stage.traced(area, "begin");
    await stage.reach("hostA", id, "completed");
    expect(await stage.cancel("hostA", id)).toBe("requested");
    await stage.traced(area, "aborted-cancelled");
  }));

test("a homehost named by its address is found among the hosts", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "10.9.8.7");
    stage.release(area);
    await stage.worker("hostB", { MTJOBS_ADDRESS: "10.9.8.7" });
    await stage.worker("hostA", { MTJOBS_ADDRESS: "10.9.8.6" });
    const id = await stage.enqueue("hostA", area, "hold");
    await stage.reach("hostB", id, "completed");
  }));

test("a job whose area came home again meanwhile is sent back and done", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostB");
    stage.release(area);
    const once = await stage.worker("hostB");
    once.child.kill("SIGTERM");
    await once.exited;
    await stage.worker("hostA");
    const id = await stage.enqueue("hostA", area, "hold");
    await stage.reach("hostA", id, "completed");
    expect((await stage.story("hostA", id)).join("\n")).toContain("no worker is running there");
    stage.moveHome(area, "hostA");
    await stage.worker("hostB");
    const away = await stage.reach("hostB", id, "completed");
    expect(away.returnvalue).toEqual({ forwarded: { host: "hostA", jobId: id } });
    await stage.traced(area, "end");
    const home = await stage.reach("hostA", id, "completed");
    expect(home.returnvalue).toMatchObject({ host: "hostA", state: "completed" });
  }));

test("a job that the hosts go on sending round fails instead", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostB");
    await stage.worker("hostB");
    const id = await stage.enqueue("hostA", area, "hold");
    await stage.redis.rpush(`${stage.prefix}:way:${id}`, ...Array.from({ length: 8 }, () => "hostC"));
    await stage.worker("hostA");
    const job = await stage.reach("hostA", id, "failed");
    expect(decodeFailure(job.failedReason).code).toBe("not-home");
    expect(await stage.state("hostB", id)).toBe("unknown");
  }));

test("a job for a homehost that no worker ever served waits unspent, and goes on there once one comes", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostB");
    stage.release(area);
    await stage.worker("hostA");
    const id = await stage.enqueue("hostA", area, "hold");
    const job = await stage.reach("hostA", id, "delayed");
    expect(job.attemptsMade).toBe(0);
    expect((await stage.story("hostA", id)).join()).toContain("the area's homehost is hostB, and no worker");
    await stage.worker("hostB");
    await stage.reach("hostB", id, "completed");
    expect(stage.trace(area).map(({ host }) => host)).toEqual(["hostB", "hostB"]);
  }));

test.runIf(isCampaign)("a job whose worker is killed goes on in the host's other worker", () =>
  onQueue(async (stage) => {
    const area = stage.area("a", "hostA");
    const first = await stage.worker("hostA");
    const id = await stage.enqueue("hostA", area, "hold");
    await stage.traced(area, "begin");
    await stage.worker("hostA");
    first.child.kill("SIGKILL");
    const killedAt = Date.now();
    const begun = await stage.traced(area, "begin", 2);
    expect(Date.now() - killedAt).toBeLessThan(20_000);
    expect(begun[1]?.pid).not.toBe(begun[0]?.pid);
    stage.release(area);
    const job = await stage.reach("hostA", id, "completed");
    expect(job.attemptsMade).toBe(1);
  }),
);
