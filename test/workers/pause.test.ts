import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openArea } from "../../shared/area/area.ts";
import { readHistory } from "../../shared/area/history.ts";
import { paused } from "../../shared/area/pause.ts";
import { readDeferral } from "../../shared/queue/deferrals.ts";
import type { JobContext } from "../../workers/area-db/job-context.ts";
import { abortOnPause } from "../../workers/job-thread/abort-on-pause.ts";
import { newArea, rejectionOf, settingsFor, waitFor, writeFile } from "../support/area.ts";
import { onQueue, runReduce } from "../support/queue.ts";

const small = { runs: 2, testsPerRun: 2, inFlight: 0, unsynced: false };

function contextFor(signal = new AbortController().signal): JobContext {
  const nothing = () => {};
  return {
    ...{ jobId: "j", settings: settingsFor(), env: {}, signal },
    ...{ log: nothing, progress: nothing, failpoint: nothing },
  };
}

test("a job at work is stopped once a stop file is there, or for the reason it is told", async () => {
  const { directory } = newArea(small);
  const work = async ({ signal }: JobContext) => {
    await once(signal, "abort");
    throw signal.reason;
  };
  const end = new AbortController();
  const aborted = abortOnPause(directory, contextFor(end.signal), work, 5);
  end.abort(new Error("for another reason"));
  await expect(aborted).rejects.toThrow("for another reason");
  const held = abortOnPause(directory, contextFor(), work, 5);
  const file = writeFile(join(directory, ".mtjobs/pause"), "");
  await expect(held).rejects.toMatchObject({ code: "paused", details: { file } });
  const late = abortOnPause(directory, contextFor(), () => expect.fail("it must not begin"), 5);
  await expect(late).rejects.toMatchObject({ code: "paused" });
});

test("a job that is held between two batches leaves no line in the history, and the next counts what it moved", async () => {
  const area = newArea(small);
  const stop = new AbortController();
  const failpoint = (name: string) => {
    if (name === "removing") stop.abort(paused("/x"));
  };
  const held = runReduce(area, {}, { failpoint, signal: stop.signal, jobId: "held" });
  await expect(held).rejects.toMatchObject({ code: "paused" });
  expect(readHistory(openArea(area.directory), { limit: 5 })).toEqual([]);
  const { result } = await runReduce(area, {}, { jobId: "held" });
  expect(result.moved.runs).toBe(2);
});

test("a job that no queue has ends where it is held, with a line, says what stays moved, and the next counts the rest", async () => {
  const area = newArea({ ...small, runs: 4, testsPerRun: 900, stepsPerTest: 0, dataPerTest: 0 });
  const stop = new AbortController();
  const failpoint = (name: string) => {
    if (name === "removed-from-area") stop.abort(paused("/x"));
  };
  const held = runReduce(area, {}, { failpoint, signal: stop.signal, jobId: "held", inline: true });
  const error = await rejectionOf(held);
  const { runs } = error.details as { runs: number };
  expect(runs).toBeGreaterThan(0);
  expect(error).toMatchObject({
    code: "paused",
    message: expect.stringMatching(
      /^jobs are paused by \/x, and the job ended: \d runs? that it moved stays? moved(; \d runs? (is|are) half moved, .*)?$/,
    ),
    hint: "delete that file, then run the same command again to continue",
    details: { file: "/x" },
  });
  const lines = () => readHistory(openArea(area.directory), { limit: 5 });
  expect(lines()).toMatchObject([
    { jobId: "held", state: "cancelled", moved: { runs }, error: { code: "paused" } },
  ]);
  const { result, story } = await runReduce(area, {}, { jobId: "next" });
  expect([result.moved.runs, story.join()]).toEqual([4 - runs, expect.not.stringContaining("also counts")]);
});

test("a job that no queue has says how many runs it leaves half moved", async () => {
  const area = newArea(small);
  const stop = new AbortController();
  const failpoint = (name: string) => {
    if (name !== "removed-from-cache") return;
    stop.abort(paused("/x"));
    throw stop.signal.reason;
  };
  const held = runReduce(area, {}, { failpoint, signal: stop.signal, jobId: "held", inline: true });
  expect(await rejectionOf(held)).toMatchObject({
    message:
      "jobs are paused by /x, and the job ended: it had moved no run; 2 runs are half moved, which any next job on the area finishes or undoes",
    details: { file: "/x", runs: 0, half: 2 },
  });
  expect((await runReduce(area, {}, { jobId: "next" })).result.moved.runs).toBe(2);
});

test("a job of a held area waits unspent, says why, lets others pass, and goes on when the file is gone", () =>
  onQueue(async (stage) => {
    await stage.worker("hostA");
    const [area, free] = [stage.area("a", "hostA"), stage.area("free", "hostA")];
    stage.release(area);
    stage.release(free);
    const file = writeFile(join(area, ".mtjobs/pause"), "");
    const id = await stage.enqueue("hostA", area, "hold");
    const job = await stage.reach("hostA", id, "delayed");
    expect([job.attemptsMade, job.progress]).toEqual([0, expect.objectContaining({ phase: "paused" })]);
    expect(await stage.story("hostA", id)).toEqual([`Waiting: jobs are paused by ${file}.`]);
    const place = { host: "hostA", jobId: id };
    expect((await readDeferral(stage.redis, stage.prefix, place))?.code).toBe("paused");
    await stage.reach("hostA", await stage.enqueue("hostA", free, "hold"), "completed");
    rmSync(file);
    const done = await stage.reach("hostA", id, "completed");
    expect(done.attemptsMade).toBe(1);
  }));

test("a job outside of its window waits unspent until it opens", () =>
  onQueue(async (stage) => {
    await stage.worker("hostA");
    const area = stage.area("a", "hostA");
    const hour = new Date().getUTCHours();
    const at = (hours: number) => `${String((hour + hours) % 24).padStart(2, "0")}:00`;
    const data = { v: 1, area, runname: "hold", between: `${at(2)}-${at(4)}`, tz: "UTC" };
    const id = await stage.add("hostA", "reduce", data, { attempts: 2 });
    const job = await stage.reach("hostA", id, "delayed");
    expect([job.attemptsMade, job.progress]).toEqual([
      0,
      expect.objectContaining({ phase: "waiting for its time of day" }),
    ]);
    const due = await waitFor("the delay", async () => (await stage.queue("hostA").getJob(id))?.delay);
    const opens = new Date(job.timestamp).setUTCMinutes(0, 0, 0) + 2 * 3_600_000;
    // BullMQ counts the delay from the moment at which the job is put off.
    expect(Math.abs(Date.now() + due - opens)).toBeLessThan(30_000);
    expect(stage.trace(area)).toEqual([]);
  }));
