import { expect } from "vitest";
import { listHosts } from "../../../shared/queue/hosts.ts";
import { waitFor } from "../area/wait-for.ts";
import { writeAgainst } from "../area/write-against.ts";
import { assertOneHome } from "../hosts/assert-one-home.ts";
import { leaveClosedPair } from "../hosts/closed-pair.ts";
import { homeOf, migrationRow, unionAt } from "../hosts/two-hosts.ts";
import type { Union } from "../oracle/records.ts";
import { fenceOf } from "../queue/kill.ts";
import { type FailpointCase, failpointCases } from "./failpoint-cases.ts";
import { type FaultHosts, onFaultHosts, type Side, sides } from "./fault-hosts.ts";
import { endure, type FaultName, faults } from "./faults.ts";

/** Time after a fault's end until the area has one working home, ms; the watch of the old one does not count. */
const steadyWithinMs = 60_000;
const endedWithinMs = 90_000;

/**
 * Runs one cell of the table: brings a migration to a step, applies the fault there and ends it. Then asserts that
 * within a minute the area is at rest, at one home, with every row, and that it can migrate again.
 */
export async function outlive(step: keyof typeof failpointCases, name: FaultName): Promise<number> {
  let restMs = 0;
  await onFaultHosts(async (stage) => {
    const { on, needs } = failpointCases[step];
    if (needs === "reused") leaveClosedPair(stage.area, stage.hosts.seenFrom(stage.area, sides.new));
    const before = unionAt(stage.area);
    const fault = faults[name];
    await startBoth(stage, step);
    await stage.hosts.migrate(stage.area, "host-b");
    if (needs === "divergent") {
      await waitFor("the home to have moved", () => migrationRow(stage.area)?.state === "switched", {
        deadline: 60_000,
        state: () => stage.workerLogs(),
      });
      writeAgainst(stage.area.cacheDb);
    }
    await stage.stopped(on);
    const end = await fault.strike(stage);
    // A silenced worker stays silent; otherwise the step's worker continues into the fault.
    if (!("silences" in fault) || fault.silences !== on) stage.signal(on, "SIGCONT");
    const sleepAgain = "silences" in fault ? () => {} : stage.keepAwake();
    await endure(fault);
    await end();
    sleepAgain();
    const rouse = stage.keepAwake();
    try {
      const since = Date.now();
      await comeTo(stage, isSteady, steadyWithinMs);
      restMs = Date.now() - since;
      await comeTo(stage, isAtRest, endedWithinMs);
      assertSteady(stage, before);
      await restartWhatFails(stage, needs);
      await moveAgain(stage);
      assertSteady(stage, before);
    } finally {
      rouse();
    }
  });
  return restMs;
}

async function startBoth(stage: FaultHosts, step: keyof typeof failpointCases): Promise<void> {
  const { on, needs } = failpointCases[step];
  await Promise.all(
    (["old", "new"] as const).map((side) => {
      const fails = typeof needs === "object" && needs.errorOn === side ? [needs.at] : [];
      const stops = on === side ? [`${step}=stop`] : [];
      return stage.start(side, [...fails, ...stops].join(","));
    }),
  );
}

interface Rest {
  row: Record<string, unknown> | undefined;
  holder: unknown;
  jobs: unknown;
}

async function stateOf(stage: FaultHosts): Promise<Rest> {
  const counts = Object.values(sides).map((host) =>
    stage.hosts.stage.queue(host).getJobCounts("active", "waiting", "delayed"),
  );
  const holder = fenceOf(stage.area.megatestDb)?.holder ?? null;
  return { row: migrationRow(stage.area), holder, jobs: await Promise.all(counts) };
}

/** True if the new home works and only the watch of the old one goes on, or if the migration has ended. */
function isSteady(rest: Rest): boolean {
  return (rest.row?.state === "switched" && rest.row.new_ready === 1) || isAtRest(rest);
}

function isAtRest({ row, holder, jobs }: Rest): boolean {
  const ended = row === undefined || ["settled", "undone"].includes(String(row.state));
  const idle = (jobs as Record<string, number>[]).every((counts) =>
    Object.values(counts).every((n) => n === 0),
  );
  return ended && holder === null && idle;
}

async function comeTo(stage: FaultHosts, is: (rest: Rest) => boolean, deadline: number): Promise<void> {
  const check = async () => {
    try {
      return is(await stateOf(stage));
    } catch {
      return false; // Redis is not back yet
    }
  };
  await waitFor("the area to be at rest", check, {
    deadline,
    state: async () => [await stateOf(stage).catch(String), stage.workerLogs()],
  });
}

/** Returns the side that `.homehost` names, which must be one of the two. */
function homeSide({ area, hosts }: FaultHosts): Side {
  const home = homeOf(area);
  const side = (["old", "new"] as const).find(
    (name) => home === `${hosts.seenFrom(area, sides[name]).host}\n`,
  );
  if (side === undefined) throw new Error(`.homehost holds ${JSON.stringify(home)}`);
  return side;
}

/** Asserts that `.homehost` agrees with the migration's row, and that the area is as it should be. */
function assertSteady(stage: FaultHosts, before: Union): void {
  const { area, hosts } = stage;
  const side = homeSide(stage);
  const at = hosts.seenFrom(area, sides[side]);
  const row = migrationRow(area);
  if (row !== undefined) expect(row.state === "settled" ? row.to_home : row.from_home).toBe(at.host);
  assertOneHome(at, hosts.pairOn(area, sides[side === "old" ? "new" : "old"]), before);
}

async function restartWhatFails(stage: FaultHosts, needs: FailpointCase["needs"]): Promise<void> {
  if (typeof needs !== "object") return;
  await stage.kill(needs.errorOn);
  await stage.start(needs.errorOn);
}

async function moveAgain(stage: FaultHosts): Promise<void> {
  const { redis, prefix } = stage.hosts.stage;
  // An emptied Redis knows no worker until each has announced itself again.
  await waitFor("both workers to be known", async () => {
    const known = await listHosts(redis, prefix).catch(() => []);
    return Object.values(sides).every((side) => known.some(({ host, alive }) => host === side && alive));
  });
  const to = homeSide(stage) === "old" ? "host-b" : "host-a";
  const id = await stage.hosts.migrate(stage.area, to);
  const queue = stage.hosts.stage.queue(to);
  // Late replies are ignored here: the machine runs several cells concurrently.
  const state = () => queue.getJobState(id).catch(() => "unknown");
  await waitFor("the second migration to end", async () => ["completed", "failed"].includes(await state()), {
    deadline: 90_000,
    state: async () => [await state(), await stateOf(stage).catch(String), stage.workerLogs()],
  });
  const { returnvalue, failedReason } = (await queue.getJob(id)) ?? {};
  expect(failedReason).toBeUndefined();
  expect(returnvalue).toMatchObject({ outcome: "migrated", toHost: to });
  await comeTo(stage, isAtRest, endedWithinMs);
}
