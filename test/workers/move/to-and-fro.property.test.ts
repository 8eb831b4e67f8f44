import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { largeTest } from "../../../workers/move/slices/large-tests.ts";
import {
  addTestIn,
  assertNothingLost,
  changeInCacheOnly,
  cleanUp,
  makeRefillDue,
  type NothingLostOptions,
  newArea,
  openClient,
  readColumn,
  type Space,
  settleTimes,
  syncOnce,
  variable,
} from "../../support/area.ts";
import { runReduce, runRestore, unionOf } from "../../support/queue.ts";

/** `MTJOBS_SEQUENCES` asks for more than a test run has time for, `MTJOBS_SEED` for others. */
const sequences = Number(variable("MTJOBS_SEQUENCES") || 10);
const seed = Number(variable("MTJOBS_SEED"));

/** A run's number counts through those that a job can move, or through all for what Megatest does. */
type Step =
  | { kind: "reduce" | "restore"; runs: number[]; touch: boolean }
  | { kind: "change" | "late"; run: number }
  | { kind: "register" | "sync" | "clean-up" | "refill-due" };

const number = fc.nat(7);
const job = (kind: "reduce" | "restore") =>
  fc.record({
    kind: fc.constant(kind),
    runs: fc.uniqueArray(number, { minLength: 1, maxLength: 6, size: "max" }),
    touch: fc.boolean(),
  });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: job("reduce") },
  { weight: 5, arbitrary: job("restore") },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom("change" as const, "late" as const), run: number }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("register" as const, "sync" as const, "clean-up" as const, "refill-due" as const),
    }),
  },
);

const storyOfAnArea = fc.record({
  area: fc.record({
    runs: fc.integer({ min: 2, max: 6 }),
    testsPerRun: fc.integer({ min: 1, max: 5 }),
    inFlight: fc.nat(1),
    cacheWal: fc.boolean(),
    withCache: fc.integer({ min: 0, max: 4 }).map((chance) => chance > 0),
    unsynced: fc.boolean(),
    syncsLastUpdate: fc.boolean(),
  }),
  /** Every test is cut into pieces, as those with thousands of steps are. */
  cutsTests: fc.boolean(),
  first: job("reduce"),
  steps: fc.array(step, { minLength: 3, maxLength: 7, size: "max" }),
});

const both: readonly Space[] = ["area", "completed"];

type Story = typeof storyOfAnArea extends fc.Arbitrary<infer Kind> ? Kind : never;

let made = 0;

/** Ids of the runs in the area, of those in completed-runs.db, or of both; of all if that is empty. */
function runsOf(area: SampleArea, spaces: readonly Space[]): number[] {
  const { ids } = unionOf(area);
  const found = spaces.flatMap((space) => [...ids[space].keys()].filter((id) => id.startsWith("runs ")));
  const all = [...new Set(found.map((id) => Number(id.slice("runs i:".length))))].sort((a, b) => a - b);
  return all.length > 0 ? all : runsOf(area, both);
}

function pickRuns(area: SampleArea, numbers: readonly number[], spaces = both): number[] {
  const all = runsOf(area, spaces);
  return [...new Set(numbers.map((each) => all[each % all.length] ?? 1))];
}

/** What Megatest does between two jobs, and what may be unlike after the next one for that. */
async function megatestDoes(
  area: SampleArea,
  withCache: boolean,
  did: Exclude<Step, { runs: number[] }>,
): Promise<NothingLostOptions> {
  const main = withCache ? area.cacheDb : area.megatestDb;
  switch (did.kind) {
    case "change": {
      const [run = 1] = pickRuns(area, [did.run]);
      const tests = readColumn(
        main,
        "SELECT 1 FROM tests WHERE run_id = ? AND uname <> 'n/a' AND state = 'COMPLETED'",
        run,
      );
      if (withCache && tests.length > 0) changeInCacheOnly(area, run, `changed ${++made}`);
      return {};
    }
    case "late": {
      const [run = 1] = pickRuns(area, [did.run]);
      addTestIn(area, [withCache ? "cache" : "area"], run, `late${++made}`);
      return {};
    }
    case "register": {
      const client = openClient(main);
      const target = { sysname: "ubuntu", fsname: "nfs", datapath: "none" };
      const test = client.registerTest(client.registerRun(target, `new${++made}`), "only");
      client.setState(test, "COMPLETED", "PASS");
      client.reportStep(test, "build", "end", "0");
      client.close();
      settleTimes(area);
      return {};
    }
    case "sync":
      if (withCache) await syncOnce(area, { quietMs: 0 });
      settleTimes(area);
      return {};
    case "clean-up":
      cleanUp(withCache ? [area.cacheDb, area.refDb, area.megatestDb] : [area.megatestDb]);
      settleTimes(area);
      return { newIds: true };
    case "refill-due":
      if (withCache) makeRefillDue(area);
      return { anyLastUpdate: true };
  }
}

const tally = { sequences: 0, reduced: 0, restored: 0 };

async function follow(story: Story): Promise<void> {
  const usual = { ...largeTest };
  if (story.cutsTests) Object.assign(largeTest, { above: 1, rowsPerCut: 1 });
  try {
    await play(story);
  } finally {
    Object.assign(largeTest, usual);
  }
}

async function play({ area: options, first, steps }: Story): Promise<void> {
  const area = newArea({ ...options, stepsPerTest: 2, dataPerTest: 1 });
  let losses: NothingLostOptions = {};
  tally.sequences++;
  for (const [index, did] of [first, ...steps].entries()) {
    if (!("runs" in did)) {
      losses = { ...losses, ...(await megatestDoes(area, options.withCache, did)) };
      continue;
    }
    const before = unionOf(area);
    const chosen = {
      runname: undefined,
      runId: pickRuns(area, did.runs, [did.kind === "reduce" ? "area" : "completed"]),
    };
    if (did.kind === "reduce") tally.reduced += (await runReduce(area, chosen)).result.moved.runs;
    else {
      const { result } = await runRestore(area, { ...chosen, touch: did.touch });
      tally.restored += result.moved.runs;
      if (did.touch) losses = { ...losses, anyLastUpdate: true };
    }
    try {
      assertNothingLost(before, unionOf(area), losses);
    } catch (error) {
      const where = `step ${index}, ${JSON.stringify(did)} of runs ${chosen.runId.join()}`;
      throw new Error(`${where}: ${String(error)}`, { cause: error });
    }
    losses = {};
  }
}

describe("runs that go to and fro", () => {
  it("lose nothing and are in one place after each job of any sequence, whatever Megatest does between", {
    timeout: Math.max(120_000, sequences * 10_000),
  }, async () => {
    console.info(`seed ${seed}, ${sequences} sequences`);
    await fc.assert(fc.asyncProperty(storyOfAnArea, follow), {
      seed,
      numRuns: sequences,
      endOnFailure: true,
      includeErrorInReport: true,
    });
    console.info(JSON.stringify(tally));
    // It did go to and fro.
    expect(Math.min(tally.reduced, tally.restored)).toBeGreaterThan(0);
  });
});
