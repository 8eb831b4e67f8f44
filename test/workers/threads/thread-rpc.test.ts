import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { JobsError } from "../../../shared/errors.ts";
import { ThreadPool } from "../../../workers/threads/thread-pool.ts";
import type { RpcThread } from "../../../workers/threads/thread-rpc.ts";
import { temporaryDirectory, waitFor } from "../../support/area.ts";

interface Calls {
  id(given: undefined): number;
  add(numbers: [number, number]): number;
  refuse(message: string): void;
  untilAborted(given: undefined): string;
  askTwice(given: undefined): string[];
  exit(status: number): void;
}

interface Back {
  name(n: number): string;
  log(sentence: string): void;
}

const source = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

const code = `
import { threadId } from "node:worker_threads";
import { JobsError } from ${JSON.stringify(source("shared/errors.ts"))};
import { serveCalls } from ${JSON.stringify(source("workers/threads/thread-rpc.ts"))};
serveCalls({
  id: () => threadId,
  add: ([a, b]) => a + b,
  refuse: (message) => { throw new JobsError("pinned", message, { hint: "h" }); },
  untilAborted: (_, { signal }) => new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason.code);
    signal.addEventListener("abort", () => resolve(signal.reason.code));
  }),
  askTwice: async (_, { ask, tell }) => {
    tell("log", "asking");
    const first = await ask("name", 1);
    return [first, await ask("name", 2).catch((error) => error.code)];
  },
  exit: (status) => process.exit(status),
});
`;

function pool(maxIdle: number): ThreadPool<Calls, Back> {
  const file = join(temporaryDirectory(), "thread.mjs");
  writeFileSync(file, code);
  return new ThreadPool<Calls, Back>(pathToFileURL(file), "test", maxIdle);
}

async function withThread(body: (thread: RpcThread<Calls, Back>) => Promise<void>): Promise<void> {
  const thread = pool(0).take();
  try {
    await body(thread);
  } finally {
    await thread.terminate();
  }
}

const idOf = (thread: RpcThread<Calls, Back>) => thread.call("id", undefined);

test("several calls to one thread get each their own result", () =>
  withThread(async (thread) => {
    const sums = await Promise.all([thread.call("add", [1, 2]), thread.call("add", [3, 4])]);
    expect(sums).toEqual([3, 7]);
  }));

test("an error of the thread's code crosses with its code, hint and stack, and the thread is not used again", () =>
  withThread(async (thread) => {
    const error = await thread.call("refuse", "this area is pinned").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(JobsError);
    expect(error).toMatchObject({ code: "pinned", message: "this area is pinned", hint: "h" });
    expect((error as JobsError).stack).toContain("thread.mjs");
    expect(thread.isReusable).toBe(false);
  }));

test("the thread is told the reason of an abort, also of one before the call", () =>
  withThread(async (thread) => {
    const abort = new AbortController();
    const call = thread.call("untilAborted", undefined, { signal: abort.signal });
    await thread.call("add", [0, 0]);
    abort.abort(new JobsError("cancelled", "enough"));
    expect(await call).toBe("cancelled");
    const signal = AbortSignal.abort(new JobsError("lost-lease", "gone"));
    expect(await thread.call("untilAborted", undefined, { signal })).toBe("lost-lease");
  }));

test("a call back is answered with its value or its error, and a message needs no answer", () =>
  withThread(async (thread) => {
    const received: string[] = [];
    const name = (n: number) => {
      if (n > 1) throw new JobsError("busy", "no more names");
      return `name ${n}`;
    };
    const back = { name, log: (sentence: string) => void received.push(sentence) };
    expect(await thread.call("askTwice", undefined, { back })).toEqual(["name 1", "busy"]);
    expect(received).toEqual(["asking"]);
    expect(thread.isReusable).toBe(true);
  }));

test("all pending calls fail when the thread ends, and so does a later one", () =>
  withThread(async (thread) => {
    const pending = thread.call("untilAborted", undefined);
    const exit = thread.call("exit", 7);
    const expected = { code: "internal", details: { exitCode: 7 } };
    await expect(pending).rejects.toMatchObject(expected);
    await expect(exit).rejects.toMatchObject(expected);
    await expect(thread.call("add", [1, 2])).rejects.toMatchObject(expected);
  }));

test("an argument that cannot be sent is an error of the call, not of the thread", () =>
  withThread(async (thread) => {
    const notData = (() => {}) as unknown as string;
    await expect(thread.call("refuse", notData)).rejects.toMatchObject({ code: "internal" });
    expect(await thread.call("add", [1, 2])).toBe(3);
  }));

test("a pool keeps no more idle threads than its number, and hands a kept one out again", async () => {
  const threads = pool(1);
  const [first, second] = [threads.take(), threads.take()];
  const [id] = await Promise.all([idOf(first), idOf(second)]);
  await threads.giveBack(first);
  await threads.giveBack(second);
  await expect(idOf(second)).rejects.toMatchObject({ code: "internal" });
  const next = threads.take();
  expect(await idOf(next)).toBe(id);
  await next.terminate();
});

test("a pool hands out the thread that was given back last", async () => {
  const threads = pool(2);
  const [first, second] = [threads.take(), threads.take()];
  await Promise.all([idOf(first), idOf(second)]);
  await threads.giveBack(first);
  await threads.giveBack(second);
  expect([threads.take(), threads.take()]).toEqual([second, first]);
  await Promise.all([first.terminate(), second.terminate()]);
});

test("a pool does not hand out a thread that ended while it was idle", async () => {
  const threads = pool(1);
  const first = threads.take();
  await idOf(first);
  await threads.giveBack(first);
  await first.terminate();
  const next = threads.take();
  expect(next).not.toBe(first);
  expect(await idOf(next)).toBeGreaterThan(0);
  await next.terminate();
});

test("a closed pool ends its idle threads, and those that are given back", async () => {
  const threads = pool(2);
  const [first, second] = [threads.take(), threads.take()];
  await Promise.all([idOf(first), idOf(second)]);
  await threads.giveBack(first);
  threads.close();
  await threads.giveBack(second);
  for (const thread of [first, second]) {
    const hasEnded = () =>
      idOf(thread).then(
        () => false,
        ({ code }: JobsError) => code === "internal",
      );
    await waitFor("the thread to end", hasEnded);
  }
});

test("a thread whose code is missing is an error that names the file", () => {
  const threads = new ThreadPool<Calls>(new URL("./no-such-thread.js", import.meta.url), "test", 1);
  expect(() => threads.take()).toThrow(JobsError);
  expect(() => threads.take()).toThrow(/no-such-thread\.js is missing/);
});
