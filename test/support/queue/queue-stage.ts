import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Job, Queue } from "bullmq";
import type { Redis } from "ioredis";
import { parsePayload } from "../../../shared/contract/payload.ts";
import { type CancelOutcome, requestCancel } from "../../../shared/queue/cancel.ts";
import type { openQueue } from "../../../shared/queue/connections.ts";
import { enqueueOptions } from "../../../shared/queue/enqueue-options.ts";
import { newJobId } from "../../../shared/queue/names.ts";
import { testRoot } from "../area/temp-directory.ts";
import { waitFor } from "../area/wait-for.ts";
import { builtProgram } from "./built-program.ts";
import { queueLibraries, withRedis } from "./redis.ts";

/** One line of a scripted job's trace in an area. */
export interface TraceLine {
  event: string;
  jobId: string;
  host: string;
  pid: number;
  thread: number;
  at: number;
}

export interface WorkerProcess {
  child: ChildProcess;
  stderr(): string;
  /** Exit code or signal name. */
  exited: Promise<number | string>;
}

/** A Redis prefix, a directory for areas, and a test's workers; all end with it. */
export class QueueStage {
  readonly redis: Redis;
  readonly prefix: string;
  readonly url: string;
  readonly root: string;
  readonly #open: typeof openQueue;
  readonly #workers: WorkerProcess[] = [];
  readonly #queues = new Map<string, Queue>();

  constructor(redis: Redis, prefix: string, url: string, open: typeof openQueue) {
    this.redis = redis;
    this.prefix = prefix;
    this.url = url;
    this.#open = open;
    this.root = mkdtempSync(join(testRoot(), "mtjobs-queue-"));
  }

  /** Creates a minimal area, at home on `homehost`. */
  area(name: string, homehost: string): string {
    const path = join(this.root, name);
    mkdirSync(path);
    writeFileSync(join(path, "megatest.config"), "[fields]\nsysname TEXT\n\n[setup]\nlinktree /tmp/lt\n");
    writeFileSync(join(path, "megatest.db"), "");
    writeFileSync(join(path, ".homehost"), homehost);
    return path;
  }

  moveHome(area: string, homehost: string): void {
    writeFileSync(join(area, ".homehost"), homehost);
  }

  /** Starts a worker of `host` without waiting for it. */
  spawn(host: string, env: Record<string, string> = {}): WorkerProcess {
    const child = spawn(process.execPath, [builtProgram("test/support/queue/worker-process")], {
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        PATH: process.env.PATH ?? "",
        HOME: this.root,
        MTJOBS_REDIS_URL: this.url,
        MTJOBS_PREFIX: this.prefix,
        MTJOBS_HOST: host,
        MTJOBS_AREAS: this.root,
        MTJOBS_TEST_THREAD: pathToFileURL(builtProgram("test/support/queue/scripted-job-thread")).href,
        ...env,
      },
    });
    let stderr = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const exited = new Promise<number | string>((resolve) => {
      child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
    });
    const worker = { child, stderr: () => stderr, exited };
    this.#workers.push(worker);
    return worker;
  }

  async worker(host: string, env: Record<string, string> = {}): Promise<WorkerProcess> {
    const worker = this.spawn(host, env);
    await waitFor("the worker to serve", () => worker.stderr().includes("serving the queue"), {
      deadline: 40_000,
      state: () => worker.stderr(),
    });
    return worker;
  }

  /** Adds a reduce that runs `script`; default: 2 attempts with a short back-off. */
  async enqueue(host: string, area: string, script: string): Promise<string> {
    const payload = parsePayload("reduce", { v: 1, area, runname: script });
    const options = enqueueOptions("reduce", payload, newJobId("reduce"));
    return await this.add(host, "reduce", payload, { ...options, attempts: 2, backoff: 200 });
  }

  async add(host: string, name: string, data: unknown, options: object = {}): Promise<string> {
    return (await this.queue(host).add(name, data, options)).id ?? "";
  }

  /** The queue of `host`; opened once. */
  queue(host: string): Queue {
    const queue = this.#queues.get(host) ?? this.#open(this.redis, { prefix: this.prefix }, host);
    this.#queues.set(host, queue);
    return queue;
  }

  cancel(host: string, jobId: string): Promise<CancelOutcome> {
    const { redis, prefix } = this;
    return requestCancel({ redis, settings: { prefix }, queue: (name) => this.queue(name) }, { host, jobId });
  }

  /** BullMQ's state; `unknown` for a job that is not in the host's queue. */
  async state(host: string, jobId: string): Promise<string> {
    return await this.queue(host).getJobState(jobId);
  }

  async reach(host: string, jobId: string, state: string, deadline = 15_000): Promise<Job> {
    await waitFor(`${jobId} to be ${state}`, async () => (await this.state(host, jobId)) === state, {
      deadline,
      state: async () => [await this.state(host, jobId), this.#workers.map((worker) => worker.stderr())],
    });
    const job: Job | undefined = await this.queue(host).getJob(jobId);
    if (job === undefined) throw new Error(`no job ${jobId} at ${host}`);
    return job;
  }

  async story(host: string, jobId: string): Promise<string[]> {
    return (await this.queue(host).getJobLogs(jobId)).logs;
  }

  trace(area: string): TraceLine[] {
    try {
      const lines = readFileSync(join(area, "trace.jsonl"), "utf8").trimEnd().split("\n");
      return lines.map((line) => JSON.parse(line) as TraceLine);
    } catch {
      return [];
    }
  }

  /** Waits until the scripts of `area` have traced `event` `count` times. */
  async traced(area: string, event: string, count = 1): Promise<TraceLine[]> {
    return await waitFor(
      `${count} x ${event}`,
      () => {
        const lines = this.trace(area).filter((line) => line.event === event);
        return lines.length >= count && lines;
      },
      { deadline: 25_000, state: () => [this.trace(area), this.#workers.map((worker) => worker.stderr())] },
    );
  }

  /** Lets the jobs that hold `area` end. */
  release(area: string): void {
    writeFileSync(join(area, "release"), "");
  }

  async strike(): Promise<void> {
    for (const { child } of this.#workers) if (child.exitCode === null) child.kill("SIGKILL");
    await Promise.all(this.#workers.map(({ exited }) => exited));
    await Promise.allSettled([...this.#queues.values()].map((queue) => queue.close()));
    rmSync(this.root, { recursive: true, force: true });
  }
}

export async function onQueue(body: (stage: QueueStage) => Promise<void>, redisUrl?: string): Promise<void> {
  await withRedis(async (redis, prefix, url) => {
    const stage = new QueueStage(redis, prefix, url, (await queueLibraries()).openQueue);
    try {
      await body(stage);
    } finally {
      await stage.strike();
    }
  }, redisUrl);
}
