import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Connection, openConnection } from "../../../shared/sqlite/connection.ts";
import { LargeTests, largeTest } from "../../../workers/move/slices/large-tests.ts";
import { enterSlice, gatherTests, type Slice, SliceCutter } from "../../../workers/move/slices/slices.ts";
import { Plans } from "../../../workers/records/plans.ts";
import { createTempTables } from "../../../workers/records/temp-tables.ts";
import { edit, newArea } from "../../support/area.ts";

describe("the slices of a batch", () => {
  let db: Connection;
  let counts: Map<bigint, number>;

  /** Run 1 has 95 tests with gaps between their ids, one of them below zero; runs 2 and 3 have three, run 4 none. */
  beforeEach(() => {
    const area = newArea({ runs: 4, inFlight: 0, unsynced: false, testsPerRun: 100 });
    edit(area, ["cache"], (cache) =>
      cache.exec(`DELETE FROM tests WHERE run_id = 1 AND id % 20 = 7; UPDATE tests SET id = -9 WHERE id = 1;
        DELETE FROM tests WHERE run_id IN (2, 3) AND id NOT IN (SELECT id FROM tests WHERE run_id = 2 LIMIT 3)
          AND id NOT IN (SELECT id FROM tests WHERE run_id = 3 LIMIT 3);
        DELETE FROM tests WHERE run_id = 4`),
    );
    // The plans of the tables need a completed-runs.db: megatest.db has the same tables.
    db = openConnection({ cache: area.cacheDb, completed: area.megatestDb });
    createTempTables(db, []);
    counts = gatherTests(db, [1n, 2n, 3n, 4n], ["cache"]);
  });

  afterEach(() => db.close());

  const testsIn = (slice: Slice): number[] => {
    enterSlice(db, slice);
    return db.prepare<[], number>("SELECT id FROM temp.slice_tests ORDER BY id").pluck().all();
  };
  const runsIn = (slice: Slice): number[] => {
    enterSlice(db, slice);
    return db.prepare<[], number>("SELECT id FROM temp.slice_runs ORDER BY id").pluck().all();
  };
  const testsOf = (runs: string) =>
    db.prepare<[], number>(`SELECT id FROM cache.tests WHERE run_id IN (${runs}) ORDER BY id`).pluck().all();

  it.each([[[10]], [[1, 2, 50]], [[40, 3]], [[94]]])(
    "hold each test of a run that is cut once, in order, at the sizes of the moment: %j",
    (sizes) => {
      let asked = 0;
      const cutter = new SliceCutter(
        db,
        new Map([[1n, counts.get(1n) ?? 0]]),
        () => sizes[asked++ % sizes.length] ?? 1,
      );
      const tests: number[] = [];
      const first: (boolean | undefined)[] = [];
      for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
        const some = testsIn(slice);
        if (slice.range !== undefined) expect(some.length).toBeGreaterThan(0);
        tests.push(...some);
        first.push(slice.range?.first);
        expect(runsIn(slice)).toEqual(slice.range?.first === false ? [] : [1]);
      }
      expect(tests).toEqual(testsOf("1"));
      expect(first.filter((is) => is === true)).toHaveLength(first[0] === undefined ? 0 : 1);
    },
  );

  it.each(["children-first", "parents-first"] as const)(
    "hold the tests of a cut run in its ranges alone, also around a large test, %s",
    (order) => {
      const large = Number(testsOf("1")[50]);
      db.exec(`DELETE FROM cache.test_steps WHERE test_id <> ${large}; DELETE FROM cache.test_data`);
      const usual = { ...largeTest };
      Object.assign(largeTest, { above: 2, rowsPerCut: 2 });
      const { records } = new Plans({ db, sources: ["cache"], keys: [] });
      const cut = { tests: new LargeTests(db, "cache", records), order };
      Object.assign(largeTest, usual);
      const cutter = new SliceCutter(db, new Map([[1n, counts.get(1n) ?? 0]]), () => 10, cut);
      const seen: number[][] = [];
      for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) {
        expect(slice.range).toBeDefined();
        seen.push(testsIn(slice));
      }
      const ofLarge = seen.filter((some) => some.includes(large));
      expect(ofLarge.length).toBeGreaterThan(1);
      expect(ofLarge.every((some) => some.length === 1)).toBe(true);
      expect([...new Set(seen.flat())].sort((a, b) => a - b)).toEqual(testsOf("1"));
      expect(seen.every((some) => some.length <= 15)).toBe(true);
    },
  );

  it("keep small runs whole and together, also one without tests", () => {
    const cutter = new SliceCutter(db, counts, () => 20);
    const slices: Slice[] = [];
    for (let slice = cutter.next(); slice !== undefined; slice = cutter.next()) slices.push(slice);
    expect(slices.at(-1)).toEqual({ runs: [2n, 3n, 4n] });
    expect(testsIn({ runs: [2n, 3n, 4n] })).toEqual(testsOf("2, 3, 4"));
    expect(slices.slice(0, -1).every(({ runs }) => runs[0] === 1n)).toBe(true);
  });

  it("leave out the rest of a cut run that is to stay, and give back runs that were put back", () => {
    const cutter = new SliceCutter(db, counts, () => 20);
    cutter.next();
    cutter.skipRest();
    expect(cutter.next()).toEqual({ runs: [2n, 3n, 4n] });
    cutter.putBack([2n, 4n]);
    expect(cutter.next()).toEqual({ runs: [2n, 4n] });
    expect(cutter.next()).toBeUndefined();
  });
});
