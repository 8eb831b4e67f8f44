// Mostly waits: run beside others.
import { cpSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../producers/demo/sample-area/random.ts";
import { cleanUp, record, testRoot, variable } from "../support/area.ts";
import { unionAt } from "../support/hosts.ts";
import { canStartServer, readJournal } from "../support/queue.ts";
import { act } from "./act.ts";
import { History, Tally } from "./history.ts";
import { hostNames, planRound, type Round } from "./plan.ts";
import { assertWhole, comeToRest } from "./quiet-point.ts";
import { inWorld, type World } from "./world.ts";

/** `npm run torture -- --minutes 10 --seed 7`; a test run takes but one round. */
const minutes = Number(variable("MTJOBS_TORTURE_MINUTES"));
const seed = Number(variable("MTJOBS_TORTURE_SEED"));
const areas = 2;

interface Notes {
  history: History;
  tally: Tally;
}

async function play(
  world: World,
  round: Round,
  wasCleaned: boolean,
  { history, tally }: Notes,
): Promise<void> {
  if (round.cleanUp !== undefined) {
    const { cacheDb, refDb, megatestDb } = world.atHome(world.area(round.cleanUp));
    cleanUp([cacheDb, refDb, megatestDb]);
    history.note(`clean-up of area ${round.cleanUp}`);
  }
  const before = world.areas.map((area) => unionAt(world.atHome(area)));
  const journals = world.areas.map((): string[] => []);
  await Promise.all(
    round.deeds.map(async ({ afterMs, deed }) => {
      await sleep(afterMs);
      history.note(`begins: ${JSON.stringify(deed)}`);
      try {
        await act(world, deed, (area, journal) => journals[area]?.push(journal));
        history.note(`ends: ${JSON.stringify(deed)}`);
        tally.count(deed.do);
      } catch (error) {
        history.note(`was kept from it by ${String(error).slice(0, 300)}: ${JSON.stringify(deed)}`);
        tally.count(`${deed.do} (kept from it)`);
      }
    }),
  );
  await comeToRest(world);
  history.note("at rest");
  await assertWhole(
    world,
    before,
    journals.map((files) => files.flatMap(readJournal)),
    wasCleaned,
  );
  history.note("whole");
}

/** Keeps the files of a violation. */
function keep(world: World, history: History, error: unknown): string {
  const directory = mkdtempSync(join(testRoot(), "mtjobs-torture-"));
  cpSync(world.hosts.stage.root, join(directory, "world"), { recursive: true });
  const story = { seed, error: String(error), said: world.workerLogs(), history: history.lines };
  writeFileSync(join(directory, "story.json"), JSON.stringify(story, undefined, 1));
  return directory;
}

describe.runIf(canStartServer)("hosts, areas and jobs under all that may befall them", () => {
  it("lose nothing, double nothing and come to rest", { timeout: minutes * 60_000 + 420_000 }, async () => {
    const random = seededRandom(seed);
    const history = new History();
    const tally = new Tally();
    console.info(`seed ${seed}, ${minutes} minutes`);
    let rounds = 0;
    let violations = 1;
    await inWorld(areas, async (world) => {
      try {
        await Promise.all(hostNames.map((host) => world.start(host)));
        const until = performance.now() + minutes * 60_000;
        let wasCleaned = false;
        do {
          const round = planRound(random, areas);
          wasCleaned ||= round.cleanUp !== undefined;
          history.note(`round ${++rounds}`);
          await play(world, round, wasCleaned, { history, tally });
        } while (performance.now() < until);
        tally.countJobs(world);
        violations = 0;
      } catch (error) {
        console.error(`seed ${seed}, round ${rounds}: what was there is in ${keep(world, history, error)}`);
        throw error;
      } finally {
        if (minutes > 0) record("torture", { seed, minutes, rounds, violations, counts: tally.counts() });
      }
    });
    const counts = JSON.stringify(tally.counts());
    console.info(
      `seed ${seed}: ${rounds} rounds, no violation; what was done, and what came of it: ${counts}`,
    );
    expect(rounds).toBeGreaterThan(0);
  });
});
