import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  everywhere,
  keptVersions,
  newArea,
  readColumn,
} from "../../support/area.ts";
import { firstTime, runReduce, runRestore, unionOf } from "../../support/queue.ts";

const smallArea = (testsPerRun = 6) =>
  newArea({ runs: 3, inFlight: 0, unsynced: false, testsPerRun, stepsPerTest: 2, dataPerTest: 2 });

const synced = ["runs", "tests", "test_steps", "test_data"];
const unsynced = ["run_stats", "test_rundat"];

/** SQL of what the new column holds: rows of tables that never sync have ids of their own in each database. */
const site = (table: string) => (synced.includes(table) ? `'${table} ' || id` : `'${table}'`);

/** A site adds a column to tables and fills it, at the first passing of a step. */
function widenAt(area: SampleArea, step: string, tables = synced) {
  return firstTime(step, () => {
    edit(area, everywhere, (db) => {
      for (const table of tables)
        db.exec(`ALTER TABLE ${table} ADD COLUMN site TEXT; UPDATE ${table} SET site = ${site(table)}`);
    });
  });
}

const sitesIn = (read: (sql: string) => unknown[], table: string) =>
  read(`SELECT count(*) FROM ${table} WHERE site = ${site(table)}`)[0];

const steps = ["tokens-raised", "brought-together", "late-collected", "copied", "verified", "removing"];

describe("a column that is added and filled while runs move", () => {
  it.each(steps)("comes along with every value and back again: at %s", async (step) => {
    const area = smallArea();
    const before = unionOf(area);
    const { result } = await runReduce(area, {}, { failpoint: widenAt(area, step) });
    expect([result.moved.runs, result.skipped]).toEqual([3, []]);
    const read = (sql: string) => completedColumn(area, sql);
    expect(synced.map((table) => sitesIn(read, table))).toEqual([3, 18, 36, 36]);
    assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
    await runRestore(area);
    for (const file of [area.cacheDb, area.megatestDb])
      expect(sitesIn((sql) => readColumn(file, `${sql} AND testname <> 'mtjobs-id-guard'`), "tests")).toBe(
        18,
      );
    assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
  });

  it.each(steps)("comes along in tables that never sync, without a row too many: at %s", async (step) => {
    const area = smallArea();
    const { result } = await runReduce(area, {}, { failpoint: widenAt(area, step, unsynced) });
    expect(result.moved).toMatchObject({ runs: 3, run_stats: 7, test_rundat: 6 });
    const read = (sql: string) => completedColumn(area, sql);
    expect(unsynced.map((table) => sitesIn(read, table))).toEqual([7, 6]);
    expect(unsynced.map((table) => read(`SELECT count(*) FROM ${table}`)[0])).toEqual([7, 6]);
  });

  it("comes along in a run so large that it is cut", async () => {
    const area = smallArea(150);
    const before = unionOf(area);
    const { result } = await runReduce(area, {}, { failpoint: widenAt(area, "removing") });
    expect(result.moved).toMatchObject({ runs: 3, tests: 450 });
    expect(sitesIn((sql) => completedColumn(area, sql), "tests")).toBe(450);
    assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
  });

  it.each(["removed-from-cache", "removed-from-ref"])(
    "is kept aside with its values where only megatest.db still has the rows: at %s",
    async (step) => {
      const area = smallArea();
      const before = unionOf(area);
      await runReduce(area, {}, { failpoint: widenAt(area, step) });
      assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
      // The ref's row is a version of its own where it was written in another second.
      for (const table of ["tests", "test_steps"])
        expect([...new Set(keptVersions(area, table, 3, "site"))]).toEqual([`"${table} 3"`]);
    },
  );

  it("is no reason to begin anew without end where our own work changes the schema: a trigger set aside", async () => {
    const area = smallArea();
    edit(area, everywhere, (db) =>
      db.exec(`CREATE TABLE IF NOT EXISTS seen (id INTEGER PRIMARY KEY, what TEXT);
        CREATE TRIGGER site_insert AFTER INSERT ON tests BEGIN INSERT INTO seen (what) VALUES (new.id); END`),
    );
    const before = unionOf(area);
    await runReduce(area, {}, { failpoint: widenAt(area, "copied") });
    const { result } = await runRestore(area);
    expect(result.moved.runs).toBe(3);
    assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
    const ofOurs =
      "SELECT count(*) FROM seen JOIN tests ON tests.id = seen.what WHERE testname <> 'mtjobs-id-guard'";
    expect(readColumn(area.cacheDb, ofOurs)).toEqual([0]);
  });
});

describe("a column that is added and filled while runs come back", () => {
  it.each(["restoring", "brought-to-area", "brought-to-ref", "brought-to-cache", "whole", "restored"])(
    "keeps every value, and so do the runs: at %s",
    async (step) => {
      const area = smallArea();
      const before = unionOf(area);
      await runReduce(area, { runname: undefined, runId: [1, 2] });
      const { result } = await runRestore(area, {}, { failpoint: widenAt(area, step) });
      expect([result.moved.runs, result.skipped]).toEqual([2, []]);
      assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
      for (const file of [area.cacheDb, area.megatestDb])
        expect(
          readColumn(file, "SELECT count(*) FROM tests WHERE run_id = 3 AND site = 'tests ' || id"),
        ).toEqual([6]);
    },
  );
});
