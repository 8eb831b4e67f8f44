import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { seededRandom } from "../../producers/demo/sample-area/random.ts";
import { testRoot, type Union } from "../support/area.ts";
import { unionAt } from "../support/hosts.ts";
import type { Reached } from "./cut.ts";
import { type Loss, layOutCut, play } from "./play.ts";
import { type Cut, cutsOf, nothing, type Recording } from "./recording.ts";
import { type Scenario, type ScenarioName, type Stage, type StageOptions, scenarios } from "./scenarios.ts";

/** What came of a scenario so far. */
export interface Campaign {
  recordings: number;
  tried: number;
  losses: number;
}

export interface Turn {
  seed: number;
  /** The command to be recorded. */
  command: string;
  /** Ends after this many cuts, this time, or this many losses. */
  cuts: number;
  forMs: number;
  most?: number;
  /** Where losses are kept, and not told of; else each is told, with where it is. */
  to?: string;
  /** What of each disk had been flushed at a cut; every extreme, then anything, where it is left out. */
  ways?: readonly (readonly Reached[])[];
}

/** Records a scenario, and cuts it short at so many moments. What is lost is kept, with how to see it again. */
export async function takeTurn(
  name: ScenarioName,
  before: Campaign,
  turn: Turn,
): Promise<Campaign & { kept?: string }> {
  const random = seededRandom(turn.seed);
  const root = mkdtempSync(join(testRoot(), "mtjobs-power-"));
  const scenario: Scenario = scenarios[name];
  const stage = await recordPatiently(name, { root, random, command: turn.command });
  const { recording, area } = stage;
  const rows = await rowsBefore(scenario, stage);
  const cuts = scenario.cuts?.(recording, random) ?? cutsOf(recording, random, turn.ways);
  const end = performance.now() + turn.forMs;
  let kept: string | undefined;
  const { tried, losses } = await play(
    recording,
    cuts,
    async (cut, chance) => await scenario.recover({ area, before: rows, random: chance, cut }),
    {
      until: ({ tried: done, losses: lost }) =>
        done >= turn.cuts || lost.length >= (turn.most ?? 3) || performance.now() > end,
      lost: (loss) => {
        kept = keep(name, stage, loss, turn.to ?? testRoot());
        if (turn.to !== undefined) return;
        console.error(`${name}: LOST by a cut after call ${loss.cut.upTo}: ${firstLines(loss.error)}
  kept; see it again: MTJOBS_POWERCUT_REPLAY=${kept} npm run powercut`);
      },
    },
  );
  for (const directory of [root, dirname(recording.disks[0]?.root ?? root)])
    rmSync(directory, { recursive: true, force: true });
  return {
    recordings: before.recordings + 1,
    tried: before.tried + tried,
    losses: before.losses + losses.length,
    ...(kept === undefined ? {} : { kept }),
  };
}

/** On a machine that has too much to do a job, or a migration, may not come to its end in time: another one will. */
async function recordPatiently(name: ScenarioName, options: StageOptions): Promise<Stage> {
  for (let tries = 1; ; tries++) {
    try {
      return await scenarios[name].record(options);
    } catch (error) {
      for (const left of readdirSync(options.root))
        rmSync(join(options.root, left), { recursive: true, force: true });
      if (tries === 3) throw error;
      console.info(`${name} is recorded once more: ${firstLines(String(error))}`);
    }
  }
}

const firstLines = (text: string): string =>
  text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(0, 8)
    .join("; ");

async function rowsBefore(scenario: Scenario, { recording, area }: Stage): Promise<Union> {
  layOutCut(recording, { upTo: 0, reached: recording.disks.map(() => nothing), seed: 1 });
  return (await scenario.before?.(area)) ?? unionAt(area);
}

interface Story {
  scenario: ScenarioName;
  area: SampleArea;
  cut: Cut;
  roots: string[];
}

/** Keeps the disks as they were at first, and as the cut left them, with what there is to say of it. @returns the directory */
function keep(scenario: ScenarioName, { recording, area }: Stage, loss: Loss, below: string): string {
  const to = mkdtempSync(join(below, "mtjobs-powercut-"));
  const roots = recording.disks.map(({ root }) => root);
  const states = { before: { ...loss.cut, upTo: 0 }, after: loss.cut };
  for (const [state, cut] of Object.entries(states)) {
    layOutCut(recording, cut);
    for (const root of roots)
      cpSync(root, join(to, state, root), { recursive: true, preserveTimestamps: true });
  }
  const story = { scenario, area, roots, ...loss, calls: lastCalls(recording, loss.cut.upTo) };
  writeFileSync(join(to, "story.json"), `${JSON.stringify(story, undefined, 1)}\n`);
  return to;
}

function lastCalls({ calls }: Recording, upTo: number): string[] {
  return calls
    .slice(Math.max(0, upTo - 60), upTo)
    .map(({ deed, by }) => `${by}: ${deed.do} ${deed.path}${"to" in deed ? ` ${deed.to}` : ""}`);
}

/**
 * Lays out what `takeTurn` kept, at the places where it was, and lets the next job go on once more; rejects as that did.
 * What is there then stays, unless it is to be `removed`.
 */
export async function replayKept(directory: string, { removed = false } = {}): Promise<void> {
  const story = JSON.parse(readFileSync(join(directory, "story.json"), "utf8")) as Story;
  const layOut = (state: "before" | "after") => {
    for (const root of story.roots) {
      rmSync(root, { recursive: true, force: true });
      mkdirSync(dirname(root), { recursive: true });
      cpSync(join(directory, state, root), root, { recursive: true, preserveTimestamps: true });
    }
  };
  layOut("before");
  const scenario: Scenario = scenarios[story.scenario];
  const before = (await scenario.before?.(story.area)) ?? unionAt(story.area);
  layOut("after");
  const random = seededRandom(story.cut.seed);
  try {
    await scenario.recover({ area: story.area, before, random, cut: story.cut });
  } finally {
    if (removed) rmSync(dirname(story.roots[0] ?? ""), { recursive: true, force: true });
  }
}
