import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  addTestIn,
  changeInCacheOnly,
  changeInMegatestDbOnly,
  cleanUp,
  everywhere,
  fileOf,
  makeRefillDue,
  newArea,
  temporaryDirectory,
  writeAgainst,
} from "../../support/area.ts";
import { buildForTwo, migrateByHand, reconcileBoth, takeOverByHand } from "../../support/hosts.ts";
import { runReduce, runRepair, runRestore } from "../../support/queue.ts";

/**
 * A statement on a database that others use may meet a lock of theirs. All those of a job's own thread therefore go
 * through `retryWhileBusy`: this checks for each of them that it is on the stack.
 */
const outside = new Map<string, string>();
let watched = 0;

/** Only what is called by the product, and not by a test's own helpers between jobs. */
const productFrame = /\/(?:workers|shared)\/(?!.*\.test\.ts)/;
const isOfJob = (stack: string) =>
  /\/workers\/(?:move|migrate|records|area-db)\/(?!\S*\.test\.ts)/.test(stack);
/** Files that only mtjobs opens: a pair before it is installed, and the guard, which is a lock itself. */
const onOwnFile = /\/workers\/migrate\/pair\/(?:build-pair|pair-guard)\.ts|at putPair /;
/** Tables of a connection's own need no lock; what ends a transaction may need one. */
const needsLock = (sql: string) => /\b(?:cache|ref|area|completed)\b|^\s*(?:COMMIT|BEGIN)/i.test(sql);

type Method = (this: { source?: string }, ...args: unknown[]) => unknown;

/** Puts a look in front of methods that run or prepare SQL. Returns what takes it away again. */
function watch(target: object, names: readonly string[]): () => void {
  const methods = target as Record<string, Method>;
  const real = names.map((name) => [name, methods[name]] as const);
  for (const [name, method] of real) {
    methods[name] = function (...args) {
      const sql = String(this.source ?? args[0]);
      const stack = new Error().stack ?? "";
      const isWatched = needsLock(sql) && isOfJob(stack) && !onOwnFile.test(stack);
      if (isWatched) watched += 1;
      if (isWatched && !stack.includes("retryWhileBusy")) {
        const frames = stack.split("\n").filter((line) => productFrame.test(line));
        outside.set(frames.slice(0, 4).join("\n"), sql);
      }
      return method?.apply(this, args);
    };
  }
  return () => {
    for (const [name, method] of real) if (method !== undefined) methods[name] = method;
  };
}

let unwatch: (() => void)[] = [];
const { stackTraceLimit } = Error;

beforeAll(() => {
  Error.stackTraceLimit = 60;
  const statement = Object.getPrototypeOf(new Database(":memory:").prepare("SELECT 1")) as object;
  unwatch = [
    watch(statement, ["run", "get", "all", "iterate"]),
    watch(Database.prototype, ["exec", "pragma", "prepare"]),
  ];
});
afterAll(() => {
  for (const end of unwatch) end();
  Error.stackTraceLimit = stackTraceLimit;
});

describe("every statement of a job on an area's databases waits for a lock of somebody else", () => {
  it("in reduces, a restore and a repair that have all there is to do", async () => {
    const area = newArea({ runs: 9, testsPerRun: 6 });
    changeInMegatestDbOnly(area, 1);
    changeInCacheOnly(area, 2);
    await runReduce(area, { dryRun: true });
    makeRefillDue(area);
    await runReduce(area, { compact: "always" });
    await runRestore(area, { dryRun: true });
    await runRestore(area, { compact: "always", runname: undefined, runId: [1, 2] });
    addTestIn(area, ["cache"], 3, "came_late");
    await runRepair(area);
    await expect(runReduce(area, {}, { failpoint: (step) => step === "copied" && fail() })).rejects.toThrow(
      "it ends here",
    );
    cleanUp(everywhere.map((place) => fileOf(area, place)));
    await runReduce(area);
    expect(watched).toBeGreaterThan(100);
    expect([...outside]).toEqual([]);
  });

  it("in a migration with a divergent cache, in one that is undone, and in a take-over", async () => {
    outside.clear();
    watched = 0;
    const there = buildForTwo(temporaryDirectory());
    const between = (before: string) => before === "watch" && writeAgainst(there.area.cacheDb);
    await migrateByHand({ ...there.place, jobId: "migrate-1", between });
    const back = buildForTwo(temporaryDirectory());
    const failpoint = (step: string) => step === "migration-installed" && fail();
    await expect(migrateByHand({ ...back.place, jobId: "migrate-1", failpoint })).rejects.toThrow();
    await reconcileBoth({ ...back.place, jobId: "migrate-1" });
    await takeOverByHand({ ...back.place, jobId: "migrate-2" });
    expect(watched).toBeGreaterThan(100);
    expect([...outside]).toEqual([]);
  });
});

function fail(): never {
  throw new Error("it ends here");
}
