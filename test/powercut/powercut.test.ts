import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { record, temporaryDirectory, variable } from "../support/area.ts";
import { builtCommand, canTrace } from "../support/queue.ts";
import { wrongBuild } from "./builds.ts";
import { type Campaign, replayKept, type Turn, takeTurn } from "./campaign.ts";
import { everything, oldNames } from "./recording.ts";
import { type ScenarioName, scenarios } from "./scenarios.ts";

/** `npm run powercut -- --minutes 60 --seed 7`; a test run takes a few cuts of each. */
const minutes = Number(variable("MTJOBS_POWERCUT_MINUTES"));
const seed = Number(variable("MTJOBS_POWERCUT_SEED"));
/** What an earlier one kept, to be tried once more. */
const kept = variable("MTJOBS_POWERCUT_REPLAY");

const names = Object.keys(scenarios) as ScenarioName[];
vi.setConfig({ testTimeout: minutes * 60_000 + 240_000 });

function report(name: ScenarioName, { recordings, tried, losses }: Campaign): void {
  const found = losses === 0 ? "nothing lost" : `${losses} LOSSES`;
  console.info(`${name}: ${recordings} recorded, ${tried} cuts tried, ${found}`);
}

/** Turns about, till the time is up: each records its scenario anew and cuts it short for as long as the others do. */
async function run(campaigns: Map<ScenarioName, Campaign>, turn: Turn): Promise<void> {
  const until = performance.now() + minutes * 60_000;
  for (let round = 0; round === 0 || performance.now() < until; round++) {
    for (const name of names) {
      if (round > 0 && performance.now() > until) return;
      const before = campaigns.get(name) ?? { recordings: 0, tried: 0, losses: 0 };
      const own = seed + round * names.length + names.indexOf(name);
      campaigns.set(name, await takeTurn(name, before, { ...turn, seed: own }));
    }
  }
}

if (!canTrace()) console.info("powercut: strace is missing here, or may not follow a process");

it.runIf(minutes > 0)("a campaign of power cuts can follow processes with strace", () => {
  expect(canTrace()).toBe(true);
});

describe.runIf(canTrace() && kept === "")("a power cut at any moment", () => {
  it("of a job or a migration loses no row", async () => {
    const campaigns = new Map<ScenarioName, Campaign>();
    if (minutes > 0) console.info(`seed ${seed}, ${minutes} minutes`);
    const turn = minutes > 0 ? { cuts: 250, forMs: 30_000 } : { cuts: 8, forMs: 2_500 };
    try {
      await run(campaigns, { ...turn, seed, command: builtCommand });
    } finally {
      for (const [name, campaign] of campaigns) {
        if (minutes > 0) report(name, campaign);
        if (minutes > 0) record("powercut", { scenario: name, seed, minutes, ...campaign });
      }
    }
    const lost = [...campaigns].filter(([, { losses }]) => losses > 0).map(([name]) => name);
    expect(lost).toEqual([]);
    expect([...campaigns.values()].every(({ tried }) => tried > 0)).toBe(true);
  });

  it("of a reduce that was built to leave directories unsynced loses rows, and that is found and can be seen again", async () => {
    const to = join(temporaryDirectory(), "kept");
    mkdirSync(to);
    const command = wrongBuild(temporaryDirectory());
    // The area's journals are back, and the cache has lost what it was to lose.
    const turn = { seed, command, cuts: 600, forMs: 60_000, most: 1, to, ways: [[oldNames, everything]] };
    const { losses, kept: found } = await takeTurn("a reduce", { recordings: 0, tried: 0, losses: 0 }, turn);
    expect(losses).toBe(1);
    await expect(replayKept(found ?? "", { removed: true })).rejects.toThrow(/problems in/);
  });
});

describe.runIf(kept !== "")("a power cut that lost something", () => {
  it("is tried again", () => replayKept(kept));
});
