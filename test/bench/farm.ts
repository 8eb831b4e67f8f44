import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { MtJobs } from "../../entry/library.ts";
import { connectRedis } from "../../shared/queue/connections.ts";
import { queueName } from "../../shared/queue/names.ts";
import { announce } from "./enqueue.ts";
import { buildFarm, type Farm, findFaults } from "./farm-areas.ts";
import { say, tell } from "./report.ts";
import { endProgram, residentOf, startProgram } from "./worker-processes.ts";

const hostsPerProcess = 10;

/**
 * One job for each run of each area, through one Redis, while one of the processes is killed and started again. Prints how
 * fast they were done, what was lost or done twice, and how memory grew.
 */
export async function runFarm(root: string, size: Record<"hosts" | "areas" | "jobs", number>): Promise<void> {
  const farm = buildFarm(root, { hosts: size.hosts, areas: size.areas, runs: size.jobs / size.areas });
  const prefix = `bench-farm-${process.pid}`;
  const groups = Array.from({ length: Math.ceil(size.hosts / hostsPerProcess) }, (_, index) =>
    farm.hosts.slice(index * hostsPerProcess, (index + 1) * hostsPerProcess),
  );
  const start = (hosts: readonly string[]) => startProgram("farm-process", [root, ...hosts], prefix);
  const mtjobs = new MtJobs({ prefix, host: "bench", areas: [join(root, "areas")] });
  const processes: ChildProcess[] = [];
  try {
    const { added, begin } = await enqueueFor(farm, mtjobs, prefix);
    processes.push(...(await Promise.all(groups.map(start))));
    const started = performance.now();
    await begin();
    const done = async () => (await countJobs(mtjobs, "completed")) + (await countJobs(mtjobs, "failed"));
    await until(async () => (await done()) >= size.jobs / 5);
    const early = processes.map(residentOf);
    const victim = processes.length - 1;
    processes[victim]?.kill("SIGKILL");
    processes[victim] = await start(groups[victim] ?? []);
    await until(async () => (await done()) >= added);
    const seconds = (performance.now() - started) / 1000;
    const late = processes.map(residentOf);
    say(
      `${added} jobs on ${size.areas} areas of ${size.hosts} hosts: ${(added / seconds).toFixed(0)} a second`,
    );
    await tellOutcome(farm, mtjobs);
    const growth = early.slice(0, victim).map((bytes, index) => (late[index] ?? 0) / bytes);
    if (growth.every(Number.isFinite)) tell("farm-memory", [Math.max(...growth)]);
  } finally {
    await mtjobs.close();
    await Promise.all(processes.map(endProgram));
  }
}

/** Enqueues a job for each run; no worker begins before `begin`, because fifty starting workers keep two cores busy. */
async function enqueueFor(
  farm: Farm,
  mtjobs: MtJobs,
  prefix: string,
): Promise<{ added: number; begin(): Promise<void> }> {
  const jobs = Array.from({ length: farm.runs }, (_, run) =>
    farm.areas.map(({ directory }) => ({ job: "reduce" as const, area: directory, runId: [run + 1] })),
  ).flat();
  const redis = await connectRedis(mtjobs.settings.redisUrl);
  await announce(redis, prefix, farm);
  const queues = farm.hosts.map((host) => new Queue(queueName(host), { connection: redis, prefix }));
  await Promise.all(queues.map((queue) => queue.pause()));
  const { length: added } = (await mtjobs.enqueueAll(jobs)).filter(({ duplicate }) => !duplicate);
  const begin = async () => {
    await Promise.all(queues.map((queue) => queue.resume()));
    redis.disconnect();
  };
  return { added, begin };
}

async function countJobs(mtjobs: MtJobs, state: string): Promise<number> {
  const { hosts } = await mtjobs.status();
  return hosts.reduce((sum, { counts }) => sum + (counts[state] ?? 0), 0);
}

/** A Redis or a machine too busy to answer is asked again. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo().catch(() => false))) await sleep(500);
}

/** Every run has to be in completed-runs.db once and nowhere else. What the history counts is told beside it. */
async function tellOutcome(farm: Farm, mtjobs: MtJobs): Promise<void> {
  const failed = await countJobs(mtjobs, "failed");
  const lines = farm.areas.flatMap(({ directory }) =>
    readFileSync(join(directory, ".mtjobs", "history.jsonl"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { jobId: string; moved: { runs: number } }),
  );
  const counted = lines.reduce((sum, { moved }) => sum + moved.runs, 0);
  const repeated = lines.length - new Set(lines.map(({ jobId }) => jobId)).size;
  const faults = findFaults(farm);
  say(
    `failed: ${failed}; runs counted as moved: ${counted} of ${farm.areas.length * farm.runs}; jobs with a second line: ${repeated}; areas at fault: ${faults.length}`,
  );
  for (const fault of faults.slice(0, 10)) say(`  ${fault}`);
  tell("farm-faults", [failed + faults.length]);
  if (failed + faults.length > 0) process.exitCode = 1;
}
