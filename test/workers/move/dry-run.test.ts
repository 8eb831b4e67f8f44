import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  addClashingLooseRows,
  changeInCacheOnly,
  completedColumn,
  filesOf,
  fingerprint,
  leaveHotJournal,
  lockRun,
  makeRefillDue,
  newArea,
  settleTimes,
} from "../../support/area.ts";
import { movedIds, reduceSafely, runReduce, skippedBy } from "../../support/queue.ts";

const everything = (area: SampleArea) => fingerprint(area.directory, area.cacheRoot);

describe("a dry run", () => {
  it("changes no byte and no time of any file, creates nothing and writes no history", async () => {
    const area = newArea({ runs: 6 });
    const before = everything(area);
    const { result } = await runReduce(area, { dryRun: true, compact: "always" });
    expect(everything(area)).toEqual(before);
    expect(existsSync(filesOf(area).completedDb)).toBe(false);
    expect(readdirSync(area.directory)).not.toContain(".mtjobs");
    expect(result).toMatchObject({ dryRun: true, areaId: null, state: "completed" });
  });

  it("changes nothing either where runs moved before and where a refill is due", async () => {
    const area = newArea({ runs: 6, cacheWal: false });
    await reduceSafely(area, { runname: undefined, runId: [1] });
    changeInCacheOnly(area, 2);
    makeRefillDue(area);
    const before = everything(area);
    const { result } = await runReduce(area, { dryRun: true });
    expect(everything(area)).toEqual(before);
    expect(result.moved.runs).toBe(3);
    expect(result.areaId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("leaves a cache in WAL mode as it was but for SQLite's own side files", async () => {
    const area = newArea({ runs: 6, cacheWal: true });
    const sideFile = (name: string) => /-(wal|shm)$/.test(name);
    const others = () => Object.entries(everything(area)).filter(([name]) => !sideFile(name));
    const before = others();
    expect((await runReduce(area, { dryRun: true })).result.moved.runs).toBe(4);
    expect(others()).toEqual(before);
  });

  it("tells what the job itself then does: the runs, the rows of each table, and what stays", async () => {
    const area = newArea({ runs: 8 });
    lockRun(area, 3);
    addClashingLooseRows(area, 2);
    const dry = (await runReduce(area, { dryRun: true, keep: 1 })).result;
    const { result } = await reduceSafely(area, { keep: 1 });
    expect(dry.moved).toEqual(result.moved);
    expect(movedIds(dry)).toEqual(movedIds(result));
    expect(skippedBy(dry)).toEqual(skippedBy(result));
    expect(dry.skippedCounts).toEqual(result.skippedCounts);
  });

  it("does without a cache", async () => {
    const area = newArea({ runs: 4, inFlight: 0, withCache: false });
    const before = fingerprint(area.directory);
    const { result } = await runReduce(area, { dryRun: true });
    expect(result.moved.runs).toBe(4);
    expect(fingerprint(area.directory)).toEqual(before);
    expect(existsSync(area.cacheDirectory)).toBe(false);
  });

  it("reports a hot journal instead of rolling it back, which a real job does", async () => {
    const area = newArea({ runs: 4, inFlight: 0, unsynced: false });
    leaveHotJournal(area);
    const before = everything(area);
    await expect(runReduce(area, { dryRun: true })).rejects.toMatchObject({
      code: "busy",
      details: { hotJournals: [area.megatestDb] },
    });
    expect(everything(area)).toEqual(before);
    settleTimes(area);
    const { result } = await runReduce(area);
    expect(result).toMatchObject({ moved: { runs: 4 }, superseded: 0 });
    expect(completedColumn(area, "SELECT count(*) FROM test_steps WHERE comment LIKE 'torn%'")).toEqual([0]);
  });

  it("minds no journal that a writer has done with", async () => {
    const area = newArea({ runs: 4, inFlight: 0 });
    writeFileSync(`${area.megatestDb}-journal`, Buffer.alloc(512));
    expect((await runReduce(area, { dryRun: true })).result.moved.runs).toBe(4);
  });
});

describe("a job that is not dry", () => {
  it("creates completed-runs.db and .mtjobs with an id and a line of history, and nothing else", async () => {
    const area = newArea({ runs: 4, inFlight: 0 });
    const before = new Set(Object.keys(everything(area)));
    await reduceSafely(area);
    const created = Object.keys(everything(area)).filter((name) => !before.has(name));
    expect(created.sort()).toEqual([".mtjobs/area-id", ".mtjobs/history.jsonl", "completed-runs.db"]);
  });
});
