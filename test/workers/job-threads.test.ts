import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import type { Progress } from "../../shared/contract/move-result.ts";
import { parsePayload } from "../../shared/contract/payload.ts";
import { JobsError } from "../../shared/errors.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import { builtThreadUrl, JobThreads } from "../../workers/job-thread/job-threads.ts";
import { builtProgram, onQueue, type QueueStage } from "../support/queue.ts";

const threadUrl = pathToFileURL(builtProgram("test/support/queue/scripted-job-thread"));
const settings = resolveSettings({ flags: { host: "hostA" } });
const data = (area: string, script: string) => ({
  name: "reduce" as const,
  payload: parsePayload("reduce", { v: 1, area, runname: script }),
  jobId: "reduce-1",
  settings,
});

/** Runs `body` with threads for the scripted job, closed afterwards. */
const withThreads = (body: (threads: JobThreads, stage: QueueStage) => Promise<void>) =>
  onQueue(async (stage) => {
    const threads = new JobThreads(threadUrl);
    try {
      await body(threads, stage);
    } finally {
      threads.close();
    }
  });

test("the thread of a job run from source is the built one", () => {
  expect(builtThreadUrl().pathname).toMatch(/\/dist\/workers\/job-thread\/job-thread\.js$/);
});

test("a thread gives the result, its story and a few progresses a second", () =>
  withThreads(async (threads, stage) => {
    const area = stage.area("a", "hostA");
    const logged: string[] = [];
    const progresses: Progress[] = [];
    const done = threads.run(data(area, "hold"), {
      onLog: (sentence) => logged.push(sentence),
      onProgress: (progress) => {
        progresses.push(progress);
        if (progresses.length === 4) stage.release(area);
      },
    });
    expect(await done).toMatchObject({ jobId: "reduce-1", state: "completed" });
    expect(logged).toEqual(["the script is hold"]);
    const [begin, end] = stage.trace(area).map(({ at }) => at);
    expect(progresses.length).toBeLessThanOrEqual(2 + ((end ?? 0) - (begin ?? 0)) / 300);
    expect(progresses.at(-1)?.rows.done).toBeGreaterThan(50);
  }));

test("an aborted job stops with the reason it was given", () =>
  withThreads(async (threads, stage) => {
    const area = stage.area("a", "hostA");
    const abort = new AbortController();
    const done = threads.run(data(area, "hold"), { signal: abort.signal });
    await stage.traced(area, "begin");
    abort.abort(new JobsError("cancelled", "enough", { hint: "h" }));
    await expect(done).rejects.toMatchObject({ code: "cancelled", message: "enough", hint: "h" });
  }));

test("a thread that cannot be started is an error of its own", async () => {
  const missing = new URL("./no-such-thread.js", import.meta.url);
  await expect(new JobThreads(missing).run(data("/a", "hold"))).rejects.toMatchObject({
    code: "internal",
  });
});

test("a job that was aborted before it began starts no thread", () =>
  withThreads(async (threads, stage) => {
    const area = stage.area("a", "hostA");
    const signal = AbortSignal.abort(new JobsError("cancelled", "enough"));
    await expect(threads.run(data(area, "hold"), { signal })).rejects.toMatchObject({
      code: "cancelled",
    });
    expect(stage.trace(area)).toEqual([]);
  }));

test("a thread that did its job does the next one, and one whose job failed does not", () =>
  withThreads(async (threads, stage) => {
    const area = stage.area("a", "hostA");
    stage.release(area);
    await threads.run(data(area, "hold"));
    await threads.run(data(area, "hold"));
    await expect(threads.run(data(area, "refuse"))).rejects.toMatchObject({ code: "pinned" });
    await threads.run(data(area, "hold"));
    const begun = stage.trace(area).filter(({ event }) => event === "begin");
    const [first, second, third, fourth] = begun.map(({ thread }) => thread);
    expect([second, third]).toEqual([first, first]);
    expect(fourth).not.toBe(first);
  }));

test("jobs at the same time have a thread each, of which one is kept", () =>
  withThreads(async (threads, stage) => {
    const [one, two] = [stage.area("a", "hostA"), stage.area("b", "hostA")];
    const both = [threads.run(data(one, "hold")), threads.run(data(two, "hold"))];
    await Promise.all([stage.traced(one, "begin"), stage.traced(two, "begin")]);
    stage.release(one);
    stage.release(two);
    await Promise.all(both);
    await threads.run(data(one, "hold"));
    const threadsOf = (area: string) => stage.trace(area).map(({ thread }) => thread);
    const [first, , again] = threadsOf(one);
    const [other] = threadsOf(two);
    expect(first).not.toBe(other);
    expect([first, other]).toContain(again);
  }));

test("a thread whose job was stopped after it had ended does the next job to its end", () =>
  withThreads(async (threads, stage) => {
    const area = stage.area("a", "hostA");
    stage.release(area);
    const abort = new AbortController();
    await threads.run(data(area, "hold"), { signal: abort.signal });
    abort.abort(new JobsError("cancelled", "too late"));
    expect(await threads.run(data(area, "hold"))).toMatchObject({ state: "completed" });
  }));

test("threads that are closed end, the one at work with its job", () =>
  withThreads(async (threads, stage) => {
    const area = stage.area("a", "hostA");
    const job = threads.run(data(area, "hold"));
    const [begun] = await stage.traced(area, "begin");
    threads.close();
    stage.release(area);
    expect(await job).toMatchObject({ state: "completed" });
    // Nothing is kept: the next one has a thread of its own.
    await threads.run(data(area, "hold"));
    expect(stage.trace(area).at(-1)?.thread).not.toBe(begun?.thread);
  }));
