import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { buildArea } from "../../../producers/demo/sample-area/build-area.ts";
import { diff, integrityProblems, isRefillDue, newArea, snapshot } from "../../support/area.ts";

function count(file: string, table: string, where = "1"): number {
  const db = new Database(file, { readonly: true });
  try {
    return Number(db.prepare(`SELECT count(*) FROM ${table} WHERE ${where}`).pluck().get());
  } finally {
    db.close();
  }
}

describe("buildArea", () => {
  it("gives the cache exactly the rows asked for", () => {
    const area = newArea({ runs: 8, testsPerRun: 12, stepsPerTest: 6, dataPerTest: 5 });
    const counts = ["runs", "tests", "test_steps", "test_data"].map((table) => count(area.cacheDb, table));
    expect(counts).toEqual([8, 96, 576, 480]);
    expect(integrityProblems([area.cacheDb, area.refDb, area.megatestDb])).toEqual([]);
  });

  it("builds the same rows from the same seed and others from another", () => {
    const options = { runs: 5, testsPerRun: 4, now: 1_790_000_000, areaName: "same" };
    const [first, again, other] = [1, 1, 2].map((seed) => newArea({ ...options, seed, keys: ["k"] }));
    const rows = (area: typeof first) => snapshot(area?.cacheDb).tables.get("test_data")?.rows;
    expect(rows(again)).toEqual(rows(first));
    expect(rows(other)).not.toEqual(rows(first));
  });

  it("leaves rows in the cache that megatest.db and the ref do not know yet", () => {
    const area = newArea();
    expect(count(area.cacheDb, "runs")).toBe(count(area.megatestDb, "runs") + 1);
    expect(count(area.cacheDb, "test_steps")).toBeGreaterThan(count(area.refDb, "test_steps"));
    expect(count(area.cacheDb, "tests", "status = 'WAIVED'")).toBe(3);
    expect(count(area.megatestDb, "tests", "status = 'WAIVED'")).toBe(0);
  });

  it("makes ref and megatest.db agree in every table that syncs", () => {
    const area = newArea();
    const [ref, mt] = [snapshot(area.refDb), snapshot(area.megatestDb)];
    for (const table of ["keys", "metadat", "runs", "test_meta", "tests", "test_steps", "test_data"]) {
      expect(mt.tables.get(table), table).toEqual(ref.tables.get(table));
    }
  });

  it("gives tables that never sync their own ids in megatest.db and none in the ref", () => {
    const area = newArea();
    expect(count(area.refDb, "run_stats")).toBe(0);
    expect(count(area.megatestDb, "extradat", "key = 'remark'")).toBe(1);
    const idOfNote = (file: string) => snapshot(file).tables.get("extradat")?.rows[0];
    expect(idOfNote(area.megatestDb)).not.toEqual(idOfNote(area.cacheDb));
  });

  it("puts the cache where Megatest looks for it, marked as ready, and newer than megatest.db", () => {
    const area = newArea();
    const path = `.${area.directory.slice(1).replaceAll("/", ".")}`;
    expect(area.cacheDirectory).toBe(join(area.cacheRoot, "ann", "megatest_localdb", "a1", path));
    for (const name of [".ready-megatest", ".ready-megatest_ref"]) {
      expect(existsSync(join(area.cacheDirectory, name)), name).toBe(true);
    }
    expect(isRefillDue(area)).toBe(false);
    expect(Date.now() - statSync(area.megatestDb).mtimeMs).toBeGreaterThan(4000);
    expect(readFileSync(join(area.directory, ".homehost"), "utf8")).toBe("host-a\n");
  });

  it("keeps the newest runs in flight and all others ended", () => {
    const area = newArea({ inFlight: 3 });
    expect(area.inFlight).toEqual([10, 11, 12]);
    const unfinished = "state IN ('NOT_STARTED', 'LAUNCHED', 'RUNNING')";
    for (const run of area.inFlight)
      expect(count(area.cacheDb, "tests", `run_id = ${run} AND ${unfinished}`)).toBeGreaterThan(0);
    expect(count(area.cacheDb, "tests", `run_id < 10 AND ${unfinished}`)).toBe(0);
    const alive = `event_time + run_duration > ${area.now - 7200}`;
    expect(count(area.cacheDb, "tests", `state = 'RUNNING' AND NOT (${alive})`)).toBe(0);
  });

  it("builds the layout of an early Megatest, extra columns, a WAL cache and an area without a cache", () => {
    const old = newArea({
      old: true,
      cacheWal: true,
      extraColumns: { tests: "site TEXT DEFAULT 'here'" },
    });
    const columns = snapshot(old.cacheDb).tables.get("tests")?.columns;
    expect(columns).toContain("site");
    expect(columns).not.toContain("last_update");
    expect(snapshot(old.megatestDb).tables.get("runs")?.columns).not.toContain("contour");
    const db = new Database(old.cacheDb, { readonly: true });
    expect(db.pragma("journal_mode", { simple: true })).toBe("wal");
    db.close();
    const bare = newArea({ withCache: false });
    expect(existsSync(bare.cacheDb)).toBe(false);
    expect(count(bare.megatestDb, "runs")).toBe(12);
  });

  it("refuses a directory that holds a megatest.db and counts that are none", () => {
    const area = newArea({ runs: 1 });
    const before = snapshot(area.megatestDb);
    expect(() => buildArea({ ...area, inFlight: 0, runs: 1 })).toThrow(
      expect.objectContaining({ code: "usage" }),
    );
    expect(diff(before, snapshot(area.megatestDb))).toEqual([]);
    expect(() => newArea({ testsPerRun: 1.5 })).toThrow(expect.objectContaining({ code: "usage" }));
    expect(() => newArea({ stepsPerTest: 29 })).toThrow(expect.objectContaining({ code: "usage" }));
  });
});
