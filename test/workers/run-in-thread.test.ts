import { expect, test } from "vitest";
import { JobsError } from "../../shared/errors.ts";
import { parsePayload } from "../../shared/queue/payload.ts";
import type { Progress } from "../../shared/result.ts";
import { resolveSettings } from "../../shared/settings.ts";
import { builtThreadUrl, runInThread } from "../../workers/run-in-thread.ts";
import { onStage } from "../support/queue-stage.ts";

const threadUrl = new URL("../support/scripted-job-thread.mjs", import.meta.url);
const settings = resolveSettings({ flags: { host: "hostA" } });
const data = (area: string, script: string) => ({
  name: "reduce" as const,
  payload: parsePayload("reduce", { v: 1, area, runname: script }),
  jobId: "reduce-1",
  settings,
});

test("the thread of a job run from source is the built one", () => {
  expect(builtThreadUrl().pathname).toMatch(/\/dist\/workers\/job-thread\.js$/);
});

test("a thread gives the result, its story and a few progresses a second", () =>
  onStage(async (stage) => {
    const area = stage.area("a", "hostA");
    const told: string[] = [];
    const progresses: Progress[] = [];
    const done = runInThread(data(area, "hold"), {
      threadUrl,
      onLog: (sentence) => told.push(sentence),
      onProgress: (progress) => {
        progresses.push(progress);
        if (progresses.length === 4) stage.release(area);
      },
    });
    expect(await done).toMatchObject({ jobId: "reduce-1", state: "completed" });
    expect(told).toEqual(["the script is hold"]);
    const [begin, end] = stage.trace(area).map(({ at }) => at);
    expect(progresses.length).toBeLessThanOrEqual(2 + ((end ?? 0) - (begin ?? 0)) / 300);
    expect(progresses.at(-1)?.rows.done).toBeGreaterThan(50);
  }));

test("an aborted job stops with the reason it was given", () =>
  onStage(async (stage) => {
    const area = stage.area("a", "hostA");
    const abort = new AbortController();
    const done = runInThread(data(area, "hold"), { threadUrl, signal: abort.signal });
    await stage.traced(area, "begin");
    abort.abort(new JobsError("cancelled", "enough", { hint: "h" }));
    await expect(done).rejects.toMatchObject({ code: "cancelled", message: "enough", hint: "h" });
  }));

test("a thread that cannot be started is an error of its own", async () => {
  const missing = new URL("./no-such-thread.js", import.meta.url);
  await expect(runInThread(data("/a", "hold"), { threadUrl: missing })).rejects.toMatchObject({
    code: "internal",
  });
});

test("a job that was aborted before it began starts no thread", () =>
  onStage(async (stage) => {
    const area = stage.area("a", "hostA");
    const signal = AbortSignal.abort(new JobsError("cancelled", "enough"));
    await expect(runInThread(data(area, "hold"), { threadUrl, signal })).rejects.toMatchObject({
      code: "cancelled",
    });
    expect(stage.trace(area)).toEqual([]);
  }));
