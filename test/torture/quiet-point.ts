import { expect } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { parsePayload } from "../../shared/contract/payload.ts";
import { enqueueOptions } from "../../shared/queue/enqueue-options.ts";
import { listHosts } from "../../shared/queue/hosts.ts";
import { newJobId, queueName } from "../../shared/queue/names.ts";
import { type AcknowledgedWrite, assertWritesKept, type Union, waitFor } from "../support/area.ts";
import { assertOneHome, homeHostOf, migrationRow, unionAt } from "../support/hosts.ts";
import { assertReleased, fenceOf } from "../support/queue.ts";
import { asked } from "./ask.ts";
import { hostNames } from "./plan.ts";
import type { World } from "./world.ts";

/** After the last fault's end no job may work for longer, ms: a lease lasts a minute, and so does the watch. */
const atRestWithinMs = 180_000;

/** Lets everybody come to an end, with every worker there, and has each area looked over once more. */
export async function comeToRest(world: World): Promise<void> {
  await Promise.all([...world.clients, ...world.servers].map((one) => one.kill()));
  world.clients = [];
  world.servers = [];
  for (const host of hostNames) {
    const { exitCode, signalCode } = world.workers.get(host)?.child ?? {};
    if (exitCode !== null || signalCode !== null) await world.start(host);
  }
  await waitFor("every worker to be known", () => areKnown(world), {
    deadline: 60_000,
    state: () => world.workerLogs(),
  });
  for (const host of hostNames) await asked(world, host, async (mtjobs) => await mtjobs.undrain(host));
  await rest(world);
  // The next job finds what Megatest did meanwhile, and so does this.
  for (const area of world.areas) await inspect(world, area);
  await rest(world);
}

async function areKnown({ hosts: { stage } }: World): Promise<boolean> {
  const known = await listHosts(stage.redis, stage.prefix).catch(() => []);
  return hostNames.every((name) => known.some(({ host, alive }) => host === name && alive));
}

async function rest(world: World): Promise<void> {
  await waitFor("nobody to be at work", async () => (await unrestOf(world)).length === 0, {
    deadline: atRestWithinMs,
    state: async () => [await unrestOf(world), world.workerLogs()],
  });
}

/** Who is still at work. */
async function unrestOf(world: World): Promise<string[]> {
  const { stage } = world.hosts;
  const counts = await Promise.all(
    hostNames.map(async (host) => {
      const jobs = await stage.queue(host).getJobCounts("active", "waiting", "delayed", "prioritized");
      return Object.entries(jobs).flatMap(([state, count]) =>
        count > 0 ? [`${host}: ${count} ${state}`] : [],
      );
    }),
  ).catch((error: unknown) => [[String(error)]]);
  return [...counts.flat(), ...world.areas.flatMap((area) => unrestIn(area))];
}

function unrestIn(area: SampleArea): string[] {
  const row = migrationRow(area);
  const open = row !== undefined && !["settled", "undone"].includes(String(row.state));
  const fence = fenceOf(area.megatestDb);
  // Who could not give a lease back, on a full disk, leaves it to run out.
  const isHeld = fence?.holder != null && fence.expires_at > Date.now();
  return [
    ...(open ? [`${area.directory}: a migration is ${String(row.state)}`] : []),
    ...(isHeld ? [`${area.directory}: held by ${fence.holder}`] : []),
  ];
}

/** A reduce of no run does all that every job does for an area. */
async function inspect(world: World, area: SampleArea): Promise<void> {
  const { stage } = world.hosts;
  const host = homeHostOf(area);
  const payload = parsePayload("reduce", { v: 1, area: area.directory, runId: [1_000_000] });
  const id = await stage.add(host, "reduce", payload, enqueueOptions("reduce", payload, newJobId("reduce")));
  const job = await stage.reach(host, id, "completed", 90_000);
  expect(job.returnvalue).toMatchObject({ state: "completed", host });
}

/**
 * Every record that was known or acknowledged is there, once, at the area's one home; no id is used twice; nothing is left
 * over, and no lock.
 *
 * @param before what each area held when the round began
 */
export async function assertWhole(
  world: World,
  before: readonly Union[],
  writes: readonly (readonly AcknowledgedWrite[])[],
  cleanedUp: boolean,
): Promise<void> {
  for (const [index, area] of world.areas.entries()) {
    const home = homeHostOf(area);
    const here = world.hosts.seenFrom(area, home);
    for (const other of hostNames.filter((host) => host !== home)) {
      assertOneHome(here, world.hosts.pairOn(area, other), before[index] as Union, {
        anyLastUpdate: true,
        newIds: cleanedUp,
      });
    }
    assertWritesKept(writes[index] ?? [], unionAt(here));
    assertReleased(here);
    await assertHealthy(world, area);
  }
  const { redis, prefix } = world.hosts.stage;
  expect(await redis.keys(`${prefix}:area-lock:*`)).toEqual([]);
  expect((await redis.keys(`${prefix}:${queueName("*")}:*:lock`)).length).toBe(0);
}

async function assertHealthy(world: World, area: SampleArea): Promise<void> {
  const { checks } = await asked(world, homeHostOf(area), (mtjobs) => mtjobs.doctor(area.directory));
  expect(checks.filter(({ ok }) => ok === false)).toEqual([]);
}
