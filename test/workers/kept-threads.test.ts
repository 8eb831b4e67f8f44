import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { JobsError } from "../../shared/errors.ts";
import { KeptThreads } from "../../workers/kept-threads.ts";
import { temporaryDirectory } from "../support/temp-directory.ts";

/** Code of a thread that answers each message with the thread's id, and ends at `end`. */
const code = `
import { parentPort, threadId } from "node:worker_threads";
parentPort.on("message", (word) => (word === "end" ? parentPort.close() : parentPort.postMessage(threadId)));
`;

function keep(most: number): KeptThreads {
  const file = join(temporaryDirectory(), "thread.mjs");
  writeFileSync(file, code);
  return new KeptThreads(pathToFileURL(file), most);
}

async function idOf(thread: Worker): Promise<number> {
  thread.postMessage("who");
  const [id] = (await once(thread, "message")) as [number];
  return id;
}

/** Two that are at work. */
async function takeTwo(threads: KeptThreads): Promise<[Worker, Worker]> {
  const both: [Worker, Worker] = [threads.take(), threads.take()];
  await Promise.all(both.map(idOf));
  return both;
}

test("a thread that was given back is the next one taken", async () => {
  const threads = keep(1);
  const first = threads.take();
  const id = await idOf(first);
  threads.giveBack(first);
  const second = threads.take();
  expect(await idOf(second)).toBe(id);
  await second.terminate();
});

test("no more threads wait for work than was asked for", async () => {
  const threads = keep(1);
  const [first, second] = await takeTwo(threads);
  threads.giveBack(first);
  threads.giveBack(second);
  await once(second, "exit");
  const next = threads.take();
  expect(next).toBe(first);
  await next.terminate();
});

test("a thread that ended while it waited is not handed out", async () => {
  const threads = keep(1);
  const first = threads.take();
  await idOf(first);
  threads.giveBack(first);
  first.postMessage("end");
  await once(first, "exit");
  const next = threads.take();
  expect(next).not.toBe(first);
  expect(await idOf(next)).toBeGreaterThan(0);
  await next.terminate();
});

test("once closed it ends the threads that wait, and those that are given back", async () => {
  const threads = keep(2);
  const [first, second] = await takeTwo(threads);
  threads.giveBack(first);
  threads.close();
  threads.giveBack(second);
  await Promise.all([once(first, "exit"), once(second, "exit")]);
});

test("a thread whose code is missing is an error that names the file", () => {
  const threads = new KeptThreads(new URL("./no-such-thread.js", import.meta.url), 1);
  expect(() => threads.take()).toThrow(JobsError);
  expect(() => threads.take()).toThrow(/no-such-thread\.js is missing/);
});
