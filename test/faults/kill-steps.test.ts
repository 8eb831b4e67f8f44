import { describe, expect, it } from "vitest";
import type { SampleArea, SampleAreaOptions } from "../../producers/demo/sample-area/build-area.ts";
import { type FailpointName, reduceFailpoints } from "../../workers/area-db/failpoint-names.ts";
import {
  addOddValues,
  addRunIn,
  addTestIn,
  casesOf,
  changeInCacheOnly,
  changeInMegatestDbOnly,
  cleanUp,
  everywhere,
  fileOf,
  giveTestsTo,
  isCampaign,
  leaveMegatestDbBehind,
  makeRefillDue,
  type NothingLostOptions,
  newArea,
  type Place,
} from "../support/area.ts";
import {
  assertFinished,
  assertUnharmed,
  reduceAndKill,
  reduceToTheEnd,
  runReduce,
  unionOf,
} from "../support/queue.ts";

/** What it takes that a job passes a step. */
interface Case {
  options?: Partial<SampleAreaOptions>;
  /** Makes the area such that the next job passes the step. */
  arrange?: (area: SampleArea) => Promise<unknown> | unknown;
  /** Jobs killed before: where the next one has something to recover. */
  killedBefore?: readonly FailpointName[];
  compact?: "always";
  /** At which passes the job is killed; default the first alone. */
  passes?: readonly number[];
  losses?: NothingLostOptions;
  /** What was arranged may still be there after the kill. */
  unrepaired?: boolean;
}

const plain: Case = {};
/** Of the larger area below: four copies are committed, three batches removed, each source in some ten slices. */
const perCopy: Case = { passes: [1, 2, 4] };
const perBatch: Case = { passes: [1, 2] };
const perSlice: Case = { passes: [1, 6] };

/** megatest.db is newer than the cache, and each side knows something that the other does not. */
const refill: Case = {
  arrange: (area) => {
    changeInMegatestDbOnly(area, 1);
    changeInCacheOnly(area, 2);
    leaveMegatestDbBehind(area, 3);
    addTestIn(area, ["area"], 4, "only_in_megatest_db");
    makeRefillDue(area);
  },
  losses: { anyLastUpdate: true },
};

/** Megatest's clean-up took the guards, and the ids of the runs moved last were handed out again. */
const clash: Case = {
  options: { inFlight: 0 },
  arrange: async (area) => {
    await runReduce(area, { runname: undefined, runId: [7, 8, 9] });
    cleanUp(everywhere.map((place) => fileOf(area, place)));
    const id = addRunIn(area, ["cache"], "w99.1");
    expect(id).toBe(7);
    addRunIn(area, everywhere, "w99.2");
  },
  losses: { newIds: true },
  unrepaired: true,
};

/** A test of a moved run stands in one place: a report that came late, or what a sync put back. */
const lateIn = (place: Place): Case => ({
  options: { unsynced: false },
  arrange: async (area) => {
    await runReduce(area);
    addTestIn(area, [place], 3, "came_late");
  },
  // No process has seen yet what only the ref holds.
  losses: { newRecords: place === "ref" },
  unrepaired: true,
});

const cases: Record<(typeof reduceFailpoints)[number], Case> = {
  prepared: plain,
  "lease-taken": plain,
  "refill-noted": refill,
  "tokens-raised": plain,
  "settled-in-cache": refill,
  "settled-in-area": refill,
  "settled-in-ref": refill,
  "brought-together": refill,
  "clash-noted": clash,
  "guarded-in-cache": plain,
  "guarded-in-ref": clash,
  "guarded-in-area": plain,
  "clash-guarded": clash,
  "taken-back": { killedBefore: ["verified"] },
  resumed: { killedBefore: ["removed-from-cache"] },
  "late-collected": { killedBefore: ["moved"] },
  copied: perCopy,
  verified: perBatch,
  guarded: plain,
  removing: plain,
  "deleted-in-cache": perSlice,
  "committed-in-cache": perSlice,
  "absorbed-from-cache": lateIn("cache"),
  "removed-from-cache": perBatch,
  "deleted-in-ref": plain,
  "committed-in-ref": perSlice,
  "absorbed-from-ref": lateIn("ref"),
  "removed-from-ref": plain,
  "deleted-in-area": perSlice,
  "committed-in-area": perSlice,
  "absorbed-from-area": lateIn("area"),
  "removed-from-area": perBatch,
  moved: plain,
  "looked-again": plain,
  compacted: { compact: "always", passes: [1, 3] },
  "history-written": plain,
  releasing: plain,
};

/** Nine runs, seven of them finished; in the larger area one has more tests than one copy takes, two have none. */
function buildKillArea(options: Partial<SampleAreaOptions>, large: boolean): SampleArea {
  if (!large) return newArea({ runs: 9, testsPerRun: 12, ...options });
  const area = newArea({ runs: 9, testsPerRun: 450, stepsPerTest: 1, dataPerTest: 0, ...options });
  giveTestsTo(area, 1, [2, 3]);
  return area;
}

/** Kills a job, looks, lets the next one finish, and looks again. How often a step is passed depends on the pace. */
async function killAndFinish(
  step: (typeof reduceFailpoints)[number],
  pass: number,
  options: Partial<SampleAreaOptions>,
): Promise<void> {
  const { arrange, killedBefore = [], compact, losses = {}, unrepaired = false, options: own } = cases[step];
  const area = buildKillArea({ ...options, ...own }, pass > 1);
  // With unsynced rows the same row would get another id in each database.
  if (options.unsynced === false) addOddValues(area, 2);
  await arrange?.(area);
  const before = unionOf(area);
  for (const earlier of killedBefore) expect(await reduceAndKill(area, earlier, 1)).toBe("SIGKILL");
  const end = await reduceAndKill(area, step, pass, compact === undefined ? [] : ["--compact", compact]);
  if (end !== "SIGKILL" && pass > 1) return killAndFinish(step, pass - 1, options);
  expect(end).toBe("SIGKILL");
  assertUnharmed(area, before, { ...losses, unrepaired });
  await reduceToTheEnd(area, compact === undefined ? {} : { compact });
  assertFinished(area, before, losses);
}

const first = reduceFailpoints.map((step) => ({ step }));
const later = reduceFailpoints.flatMap((step) =>
  (cases[step].passes ?? []).filter((pass) => pass > 1).map((pass) => ({ step, pass })),
);
/** One of each kind of step, where a test run has no time for all. */
const some = new Set<string>(["committed-in-cache"]);

describe("a reduce that is killed", () => {
  it.each(first)(
    "at $step leaves what the next job finishes, the cache using a write-ahead log",
    ({ step }) => killAndFinish(step, 1, { cacheWal: true }),
  );

  it.each(isCampaign ? later : later.filter(({ step }) => some.has(step)))(
    "at $step, pass $pass, leaves what the next job finishes, values being odd",
    ({ step, pass }) => killAndFinish(step, pass, { unsynced: false }),
  );

  it.each(casesOf(["copied", "removing", "deleted-in-area", "committed-in-area", "moved"] as const, 1))(
    "at %s leaves what the next job finishes if the area has no cache",
    (step) => killAndFinish(step, 1, { withCache: false }),
  );
});
