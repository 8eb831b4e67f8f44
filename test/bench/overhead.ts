import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Queue } from "bullmq";
import { MtJobs } from "../../entry/library.ts";
import { connectRedis } from "../../shared/queue/connections.ts";
import { queueName } from "../../shared/queue/names.ts";
import { buildFarm, type Farm } from "./farm-areas.ts";
import { say, tell } from "./report.ts";
import { endProgram, startProgram } from "./worker-processes.ts";

/** Jobs of a round; the first ones, which warm both sides up, do not count. */
const jobs = 300;
const warmUp = 100;

/**
 * What a worker adds to a job that finds nothing to move: locks, story, progress, another thread. Beside it BullMQ's own
 * worker does the same job on its main thread.
 */
export async function compareOverhead(root: string, rounds: number): Promise<void> {
  const farm = buildFarm(root, { hosts: 1, areas: 1, runs: 10 });
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const bare = await timePerJob(farm, root, "bare-worker", round);
    const ours = await timePerJob(farm, root, "farm-process", round);
    ratios.push(ours / bare);
    say(
      `round ${round + 1}: a job without work ${ours.toFixed(1)} ms, by BullMQ's worker alone ${bare.toFixed(1)} ms: ${(ours / bare).toFixed(2)}`,
    );
  }
  tell("overhead", ratios);
}

async function timePerJob(
  { hosts, areas }: Farm,
  root: string,
  program: "farm-process" | "bare-worker",
  round: number,
): Promise<number> {
  const prefix = `bench-${program}-${process.pid}-${round}`;
  const [host = ""] = hosts;
  const mtjobs = new MtJobs({ prefix, host, areas: [join(root, "areas")] });
  const redis = await connectRedis(mtjobs.settings.redisUrl);
  const queue = new Queue(queueName(host), { connection: redis, prefix });
  try {
    const area = areas[0]?.directory ?? "";
    const noRun = (index: number) => [1_000_000 + index];
    await mtjobs.enqueueAll(
      Array.from({ length: jobs }, (_, index) => ({ job: "reduce", area, runId: noRun(index) })),
    );
    const child = await startProgram(program, [root, host], prefix);
    while ((await queue.getCompletedCount()) < jobs) await sleep(500);
    await endProgram(child);
    const finished = (await queue.getCompleted(0, jobs))
      .map((job) => job.finishedOn ?? 0)
      .sort((a, b) => a - b);
    return ((finished.at(-1) ?? 0) - (finished[warmUp] ?? 0)) / (jobs - warmUp - 1);
  } finally {
    await queue.close();
    redis.disconnect();
    await mtjobs.close();
  }
}
