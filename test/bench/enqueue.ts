import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { MtJobs } from "../../entry/library.ts";
import { parsePayload } from "../../shared/contract/payload.ts";
import { connectRedis } from "../../shared/queue/connections.ts";
import { enqueueOptions } from "../../shared/queue/enqueue-options.ts";
import { announceHost } from "../../shared/queue/hosts.ts";
import { newJobId, queueName } from "../../shared/queue/names.ts";
import { buildFarm, type Farm } from "./farm-areas.ts";
import { say, tell } from "./report.ts";

/** How fast many jobs are checked and enqueued, against BullMQ's own `addBulk` of the same jobs, ready made. */
export async function compareEnqueue(
  root: string,
  size: Record<"hosts" | "areas" | "jobs", number>,
  rounds: number,
): Promise<void> {
  const farm = buildFarm(root, { hosts: size.hosts, areas: size.areas, runs: 1 });
  const ratios: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const bulk = await rateOfBulk(farm, size.jobs, `bench-bulk-${process.pid}-${round}`);
    const ours = await rateOfOurs(farm, root, size.jobs, `bench-ours-${process.pid}-${round}`);
    // The first round warms both up.
    if (round === 0) continue;
    ratios.push(ours / bulk);
    say(
      `round ${round}: ${ours.toFixed(0)} jobs a second enqueued, ${bulk.toFixed(0)} by addBulk: ${(ours / bulk).toFixed(2)}`,
    );
  }
  tell("enqueue", ratios);
}

/** The work of job `index`: every area has its turn. */
function workOf({ areas }: Farm, index: number) {
  return {
    area: areas[index % areas.length]?.directory ?? "",
    runId: [1 + Math.floor(index / areas.length)],
  };
}

/** Says of each host of the farm what its worker will say. */
export async function announce(redis: Redis, prefix: string, { hosts }: Farm): Promise<void> {
  const known = { address: null, version: "", pid: 1, user: "farm", cacheRoot: "", areas: [], startedAt: "" };
  for (const host of hosts) await announceHost(redis, prefix, { ...known, host });
}

async function rateOfOurs(farm: Farm, root: string, jobs: number, prefix: string): Promise<number> {
  const mtjobs = new MtJobs({ prefix, host: "bench", areas: [join(root, "areas")] });
  const redis = await connectRedis(mtjobs.settings.redisUrl);
  await announce(redis, prefix, farm);
  try {
    const started = performance.now();
    await mtjobs.enqueueAll(
      Array.from({ length: jobs }, (_, index) => ({ job: "reduce", ...workOf(farm, index) })),
    );
    return (1000 * jobs) / (performance.now() - started);
  } finally {
    await forget(redis, prefix);
    await mtjobs.close();
  }
}

async function rateOfBulk(farm: Farm, jobs: number, prefix: string): Promise<number> {
  const { redisUrl } = new MtJobs({ prefix }).settings;
  const redis = await connectRedis(redisUrl);
  const queues = farm.hosts.map((host) => new Queue(queueName(host), { connection: redis, prefix }));
  const made = queues.map((_, host) =>
    Array.from({ length: jobs }, (_each, index) => index)
      .filter((index) => index % queues.length === host)
      .map((index) => {
        const data = parsePayload("reduce", { v: 1, ...workOf(farm, index), requestedBy: "bench@bench" });
        return { name: "reduce", data, opts: enqueueOptions("reduce", data, newJobId("reduce")) };
      }),
  );
  try {
    const started = performance.now();
    for (const [host, queue] of queues.entries()) await queue.addBulk(made[host] ?? []);
    return (1000 * jobs) / (performance.now() - started);
  } finally {
    await Promise.all(queues.map((queue) => queue.close()));
    await forget(redis, prefix);
  }
}

/** Removes all keys under `prefix`, and disconnects. */
async function forget(redis: Redis, prefix: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1000 })) {
    if ((keys as string[]).length > 0) await redis.unlink(...(keys as string[]));
  }
  redis.disconnect();
}
