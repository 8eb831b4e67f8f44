// Mostly waits: run beside others.
import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { seededRandom } from "../../producers/demo/sample-area/random.ts";
import { reduceFailpoints } from "../../workers/area-db/failpoint-names.ts";
import { casesOf, giveTestsTo, newArea, openAsMegatest, syncOnce } from "../support/area.ts";
import {
  assertFinished,
  assertUnharmed,
  reduceAndKill,
  reduceToTheEnd,
  startCommand,
  unionOf,
} from "../support/queue.ts";

/** One after the other: with a rollback journal, with a write-ahead log, and without a cache. */
function variedArea(seed: number, unsynced: boolean): SampleArea {
  const kind = seed % 3;
  const area = newArea({
    runs: 9,
    testsPerRun: 450,
    stepsPerTest: 1,
    dataPerTest: 0,
    seed,
    unsynced,
    cacheWal: kind === 1,
    withCache: kind !== 2,
  });
  giveTestsTo(area, 1, [2, 3]);
  return area;
}

/** Starts a reduce and kills it `ms` after; where it was done by then, nothing is left to kill. */
async function killAfter(area: SampleArea, ms: number): Promise<void> {
  const job = startCommand(["reduce", area.directory, "--runname", "%", "--inline", "--json"], {
    env: { MTJOBS_HOST: area.host, MTJOBS_USER: area.user, MTJOBS_CACHE_ROOT: area.cacheRoot },
  });
  await pause(ms);
  job.child.kill("SIGKILL");
  const { code, stderr } = await job.finished;
  expect(["SIGKILL", 0], stderr).toContain(code);
}

describe("a reduce that is killed at any moment", () => {
  it.each(casesOf([1, 2, 3, 4, 5, 6, 7], 1))(
    "and its successor too, at moments drawn by seed %d, is finished by the third",
    async (seed) => {
      const random = seededRandom(seed);
      const area = variedArea(seed, true);
      const before = unionOf(area);
      for (let kills = 0; kills < 2; kills++) {
        await killAfter(area, 250 + random.below(900));
        assertUnharmed(area, before);
      }
      await reduceToTheEnd(area);
      assertFinished(area, before);
    },
  );

  it.each(casesOf([11, 12, 13], 1))(
    "at four steps drawn by seed %d, one job after the other, is finished by the next while Megatest goes on",
    async (seed) => {
      const random = seededRandom(seed);
      const area = variedArea(seed, false);
      const before = unionOf(area);
      for (let kills = 0; kills < 4; kills++) {
        const step = random.pick(reduceFailpoints);
        const end = await reduceAndKill(area, step, 1 + random.below(3));
        assertUnharmed(area, before);
        if (existsSync(area.cacheDb)) {
          // A server is started, finds nothing to refill, and syncs.
          expect(await openAsMegatest(area)).toBeNull();
          await syncOnce(area, { quietMs: 0 });
        }
        assertUnharmed(area, before);
        if (end === 0) break;
      }
      await reduceToTheEnd(area);
      assertFinished(area, before);
    },
  );
});
