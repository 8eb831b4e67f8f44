import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { isRefillDue } from "../megatest/refill.ts";
import { rowsOf } from "../oracle/rows.ts";
import { integrityProblems, snapshot } from "../oracle/snapshot.ts";
import { unionOfRuns } from "../oracle/union.ts";
import {
  addClashingLooseRows,
  addColumn,
  addOrphans,
  addPrereqFailedTest,
  addRunIn,
  addRunningTest,
  addTestIn,
  changeInCacheOnly,
  changeInMegatestDbOnly,
  deleteRun,
  leaveMegatestDbBehind,
  lockRun,
  reportStepAgain,
  reuseBlockId,
} from "./area-traits.ts";
import { everywhere, fileOf, makeRefillDue, type Place } from "./edit-area.ts";
import { addNullKeys, addOddValues, addSecondCache, makeCacheWal, oddTexts } from "./odd-values.ts";
import { filesOf, newArea } from "./temp-area.ts";

function values(area: SampleArea, sql: string, ...parameters: unknown[]): Record<Place, unknown> {
  const read = (place: Place) => {
    const db = new Database(fileOf(area, place), { readonly: true });
    try {
      return db
        .prepare(sql)
        .pluck()
        .get(...parameters);
    } finally {
      db.close();
    }
  };
  return { cache: read("cache"), ref: read("ref"), area: read("area") };
}

const all = (value: unknown) => ({ cache: value, ref: value, area: value });
const settled = (): SampleArea => newArea({ unsynced: false, runs: 5, testsPerRun: 4 });

describe("the traits of an area", () => {
  it("lock or hide a run in all three databases", () => {
    const area = settled();
    lockRun(area, 1);
    deleteRun(area, 2);
    expect(values(area, "SELECT group_concat(state) FROM runs WHERE id < 3")).toEqual(all("locked,deleted"));
  });

  it("add a silent test and one that will never run", () => {
    const area = settled();
    const silent = addRunningTest(area, 1, 90_000);
    const never = addPrereqFailedTest(area, 2);
    expect(
      values(area, "SELECT event_time + run_duration FROM tests WHERE id = ? AND state = 'RUNNING'", silent),
    ).toEqual(all(area.now - 90_000));
    expect(values(area, "SELECT state || status FROM tests WHERE id = ?", never)).toEqual(
      all("NOT_STARTEDPREQ_FAIL"),
    );
  });

  it("change a test in the cache alone, in megatest.db alone, or everywhere but in megatest.db", () => {
    const area = settled();
    const ids = [
      changeInCacheOnly(area, 1, "x"),
      changeInMegatestDbOnly(area, 2, "x"),
      leaveMegatestDbBehind(area, 3, "x"),
    ];
    const changed = ids.map((id) => values(area, "SELECT comment = 'x' FROM tests WHERE id = ?", id));
    expect(changed).toEqual([
      { cache: 1, ref: 0, area: 0 },
      { cache: 0, ref: 0, area: 1 },
      { cache: 1, ref: 1, area: 0 },
    ]);
    const later = values(area, "SELECT last_update FROM tests WHERE id = ?", ids[1]);
    expect(Number(later.area)).toBeGreaterThan(Number(later.ref));
    expect(unionOfRuns(filesOf(area)).losers).toHaveLength(2);
  });

  it("add a test and a run in some places only", () => {
    const area = settled();
    const test = addTestIn(area, ["area"], 1, "there");
    const run = addRunIn(area, ["cache"], "w01.1");
    expect(values(area, "SELECT count(*) FROM test_steps WHERE test_id = ?", test)).toEqual({
      cache: 0,
      ref: 0,
      area: 2,
    });
    expect(values(area, "SELECT count(*) FROM tests WHERE run_id = ?", run)).toEqual({
      cache: 1,
      ref: 0,
      area: 0,
    });
  });

  it("add rows without parents", () => {
    const area = settled();
    addOrphans(area);
    expect(unionOfRuns(filesOf(area)).orphans.area).toHaveLength(2);
  });

  it("give megatest.db rows that never sync under ids which are others' in the cache", () => {
    const area = settled();
    addClashingLooseRows(area, 3);
    for (const table of ["run_stats", "extradat", "test_rundat", "archives"]) {
      const [cache, mt] = [area.cacheDb, area.megatestDb].map((file) => rowsOf(snapshot(file), table)[0]);
      expect(mt?.get("id"), table).toBe("i:1");
      expect(cache?.get("id"), table).toBe("i:1");
      expect(mt, table).not.toEqual(cache);
    }
  });

  it("report a step again under a new id in the cache", () => {
    const area = settled();
    const { oldId, newId } = reportStepAgain(area, 2);
    expect(values(area, "SELECT group_concat(id) FROM test_steps WHERE id IN (?, ?)", oldId, newId)).toEqual({
      cache: String(newId),
      ref: String(oldId),
      area: String(oldId),
    });
    expect(unionOfRuns(filesOf(area)).losers).toEqual([]);
  });

  it("let a block id mean another path, and add an unexpected column", () => {
    const area = settled();
    reuseBlockId(area, ["area"], 2);
    addColumn(area, "tests", "site TEXT DEFAULT 'here'");
    const blocks = values(area, "SELECT disk_path FROM archive_blocks WHERE id = 2");
    expect(blocks.area).toBe(`${String(blocks.cache)}-another`);
    expect(values(area, "SELECT min(site) FROM tests")).toEqual(all("here"));
  });

  it("hold text of every kind byte for byte, blobs, the biggest integers and reals", () => {
    const area = settled();
    addOddValues(area, 1);
    for (const text of oddTexts) {
      const found = values(
        area,
        "SELECT count(*) FROM test_data WHERE CAST(variable AS BLOB) = ? AND typeof(variable) = 'text'",
        text,
      );
      expect(found, text.toString("hex")).toEqual(all(1));
    }
    expect(values(area, "SELECT CAST(max(diskfree) AS TEXT) FROM tests")).toEqual(all("9223372036854775807"));
    expect(values(area, "SELECT count(*) FROM tests WHERE typeof(logdat) = 'blob'")).toEqual(all(1));
    expect(integrityProblems(everywhere.map((place) => fileOf(area, place)))).toEqual([]);
  });

  it("hold NULL where a unique constraint looks", () => {
    const area = settled();
    addNullKeys(area, 1);
    expect(values(area, "SELECT count(*) FROM test_data WHERE variable IS NULL")).toEqual(all(2));
    expect(values(area, "SELECT count(*) FROM runs WHERE datapath IS NULL")).toEqual(all(1));
  });

  it("add another user's cache and a write-ahead log", () => {
    const area = settled();
    const second = addSecondCache(area, "bob");
    expect(existsSync(second.refDb)).toBe(true);
    expect(second.cacheDb).toContain("/bob/megatest_localdb/a1/");
    makeCacheWal(area);
    const db = new Database(area.cacheDb, { readonly: true });
    expect(db.pragma("journal_mode", { simple: true })).toBe("wal");
    db.close();
  });

  it("leave no refill due, unless that is the trait", () => {
    const area = settled();
    lockRun(area, 1);
    expect(isRefillDue(area)).toBe(false);
    makeRefillDue(area);
    expect(isRefillDue(area)).toBe(true);
  });
});
