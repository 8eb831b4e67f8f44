import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import {
  type FailpointName,
  migrateFailpoints,
  reduceFailpoints,
  restoreFailpoints,
} from "../../workers/area-db/failpoint-names.ts";
import {
  assertNothingLost,
  casesOf,
  changeInCacheOnly,
  changeInMegatestDbOnly,
  makeRefillDue,
  newArea,
  temporaryDirectory,
  writeAgainst,
} from "../support/area.ts";
import {
  buildForTwo,
  homeOf,
  leaveClosedPair,
  migrateByHand,
  migrationRow,
  seenFromSide,
  unionAt,
} from "../support/hosts.ts";
import { LockHolder, type LockKind, runReduce, runRestore, unionOf } from "../support/queue.ts";

/** Ms: longer than SQLite itself waits in a job, and shorter than what a job gives up after. */
const holdMs = 250;
/** Ms: parts of a migration work in threads where SQLite itself waits for a second. */
const migrationHoldMs = 1_500;

/** What no job here passes: these happen only where an earlier one died, ids clash, rows came late, or something is undone. */
const elsewhere = new Set<FailpointName>([
  "taken-back",
  "resumed",
  "clash-noted",
  "clash-guarded",
  "absorbed-from-cache",
  "absorbed-from-ref",
  "absorbed-from-area",
  "renamed",
  "undone",
  "old-opened",
  "new-cleaned",
  "migration-undone",
]);

/** Threads of the job pass these, without a call back. */
const inThreads = /^(?:deleted|committed|inserted)-in-/;

type Target = readonly [database: "cache" | "ref" | "area" | "completed", kind: LockKind];
const targets: readonly Target[] = [
  ["completed", "reading"],
  ["cache", "exclusive"],
  ["area", "exclusive"],
  ["ref", "exclusive"],
  ["completed", "exclusive"],
  ["area", "reading"],
  ["cache", "reading"],
];

const holder = new LockHolder();
afterAll(() => holder.close());

function fileOf(area: SampleArea, database: Target[0]): string {
  const { cacheDb: cache, refDb: ref, megatestDb } = area;
  return { cache, ref, area: megatestDb, completed: join(area.directory, "completed-runs.db") }[database];
}

/** Takes the lock the first time that a job passes the step; `seen` says how often it did. */
function lockAt(area: SampleArea, step: FailpointName, [database, kind]: Target, ms = holdMs) {
  const seen = { passed: 0 };
  const failpoint = (name: string) => {
    if (name === step && seen.passed++ === 0) holder.hold(fileOf(area, database), kind, ms);
  };
  return { seen, failpoint };
}

const cells = (steps: readonly FailpointName[]) =>
  steps
    .filter((step) => !inThreads.test(step) && !elsewhere.has(step))
    .flatMap((step, n) => {
      // One target for each step in a test run, each in its turn; all of them in a campaign.
      const turn = targets[n % targets.length] as Target;
      return casesOf([turn, ...targets.filter((target) => target !== turn)], 1).map((target) => ({
        step,
        target,
        what: `${target[1]} lock on ${target[0]}`,
      }));
    });

describe("a short lock of somebody else neither ends a job nor hides what it did", () => {
  it.each(cells(reduceFailpoints))("$what, at $step of a reduce", async ({ step, target }) => {
    const area = newArea({ runs: 9, testsPerRun: 6 });
    changeInMegatestDbOnly(area, 1);
    changeInCacheOnly(area, 2);
    makeRefillDue(area);
    const before = unionOf(area);
    const { seen, failpoint } = lockAt(area, step, target);
    const { result } = await runReduce(area, { compact: "always" }, { failpoint });
    expect(result).toMatchObject({ state: "completed", moved: { runs: 7 } });
    assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
    expect(seen.passed).toBeGreaterThan(0);
  });

  it.each(cells(restoreFailpoints))("$what, at $step of a restore", async ({ step, target }) => {
    const area = newArea({ runs: 6, testsPerRun: 6, inFlight: 0, unsynced: false });
    await runReduce(area);
    const before = unionOf(area);
    const { seen, failpoint } = lockAt(area, step, target);
    const { result } = await runRestore(area, { compact: "always" }, { failpoint });
    expect(seen.passed).toBeGreaterThan(0);
    expect(result).toMatchObject({ state: "completed", moved: { runs: 6 } });
    assertNothingLost(before, unionOf(area));
  });

  it.each(casesOf(cells(migrateFailpoints), 5))(
    "$what, at $step of a migration",
    async ({ step, target }) => {
      const { area, place } = buildForTwo(temporaryDirectory());
      if (step === "pair-replaced") leaveClosedPair(area, seenFromSide(area, place.root, "new"));
      await runReduce(area, { runname: undefined, runId: [1] });
      const before = unionAt(area);
      const { seen, failpoint } = lockAt(area, step, target, migrationHoldMs);
      const between = (when: string) => when === "watch" && writeAgainst(area.cacheDb);
      await migrateByHand({ ...place, jobId: "migrate-1", failpoint, between });
      expect(seen.passed).toBeGreaterThan(0);
      const there = seenFromSide(area, place.root, "new");
      expect([migrationRow(area)?.state, homeOf(area)]).toEqual(["settled", "10.9.0.2\n"]);
      assertNothingLost(before, unionAt(there), { newRecords: true });
    },
  );
});
