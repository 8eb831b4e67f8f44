import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { testRoot } from "../support/area/temp-directory.ts";
import { compareEnqueue } from "./enqueue.ts";
import { runFarm } from "./farm.ts";
import { buildFarm } from "./farm-areas.ts";
import { compareOverhead } from "./overhead.ts";
import { say, tell } from "./report.ts";
import { endProgram, processorTimeOf, startProgram } from "./worker-processes.ts";

/** How an idle worker is looked at: it has this long to come to rest, and so many areas below its roots, ms. */
const settleMs = 30_000;
const watchMs = 60_000;
const idleAreas = 100;

/** Many hosts, areas and jobs on this machine. In memory if it has room: the disk is not measured here. */
export async function measureScale(jobs: number, rounds: number): Promise<void> {
  const directory = mkdtempSync(join(testRoot(), "mtjobs-bench-"));
  const size = { hosts: 50, areas: 500, jobs };
  try {
    // A round takes two seconds, and depends on the moment.
    await compareEnqueue(join(directory, "enqueue"), size, Math.max(rounds, 9));
    await compareOverhead(join(directory, "overhead"), rounds);
    await watchIdle(join(directory, "idle"));
    await runFarm(join(directory, "farm"), size);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function watchIdle(root: string): Promise<void> {
  const { hosts } = buildFarm(root, { hosts: 1, areas: idleAreas, runs: 1 });
  const worker = await startProgram("farm-process", [root, ...hosts], `bench-idle-${process.pid}`);
  await sleep(settleMs);
  const before = processorTimeOf(worker);
  await sleep(watchMs);
  const after = processorTimeOf(worker);
  await endProgram(worker);
  if (before === undefined || after === undefined) say("idle worker: needs /proc");
  else tell("idle", [(100 * 1000 * (after - before)) / watchMs]);
}
