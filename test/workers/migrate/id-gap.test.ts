import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openConnection } from "../../../shared/sqlite/connection.ts";
import { transact } from "../../../workers/area-db/transaction.ts";
import { gapAbove, repairGap, writeGap } from "../../../workers/migrate/pair/id-gap.ts";
import {
  cleanUp,
  edit,
  newArea,
  openClient,
  readColumn,
  readRows,
  refill,
  removeRuns,
  settleTimes,
  syncOnce,
} from "../../support/area.ts";
import { fullRows, movedIds, readFilesOf, reduceSafely, withMove } from "../../support/queue.ts";

function areaWithGap() {
  const area = newArea({ runs: 4, testsPerRun: 3, inFlight: 0, unsynced: false });
  const db = openConnection({ cache: area.cacheDb, ref: area.refDb, area: area.megatestDb });
  const ids = gapAbove(db, ["cache", "ref", "area"]);
  transact(db, () => writeGap(db, ids, ["cache", "ref"]));
  transact(db, () => writeGap(db, ids, ["cache", "ref"]));
  db.close();
  settleTimes(area);
  return { area, ids };
}

describe("the gap of a new homehost", () => {
  it("lies a million above every id, in cache and ref alone, and neither sync nor refill carries it anywhere", async () => {
    const { area, ids } = areaWithGap();
    expect(ids.runs).toBe(1_000_004n);
    const rows = (file: string) =>
      ["runs", "tests", "test_steps", "test_data"].flatMap((table) =>
        readRows(file, `SELECT * FROM ${table} WHERE id >= 1000000`),
      );
    expect(rows(area.cacheDb)).toHaveLength(4);
    expect(rows(area.refDb)).toEqual(rows(area.cacheDb));
    expect((await syncOnce(area, { quietMs: 0 })).rows).toEqual({});
    expect(await refill(area)).toEqual({});
    expect(rows(area.megatestDb)).toEqual([]);
    expect(rows(area.cacheDb)).toHaveLength(4);
  });

  it("makes Megatest hand out ids above it", async () => {
    const { area, ids } = areaWithGap();
    const client = openClient(area.cacheDb);
    const run = client.registerRun({ sysname: "a", fsname: "b", datapath: "c" }, "new");
    const test = client.registerTest(run, "t");
    client.close();
    expect([run, test]).toEqual([Number(ids.runs) + 1, Number(ids.tests) + 1]);
  });

  it("never moves and is never told of, and a reduce beside it loses nothing", async () => {
    const { area } = areaWithGap();
    expect(fullRows(readFilesOf(area), "SELECT count(*) AS n FROM runs")).toEqual([{ n: 4 }]);
    const { result } = await reduceSafely(area);
    expect(movedIds(result)).toEqual([1, 2, 3, 4]);
    expect(result.skipped).toEqual([]);
    for (const table of ["runs", "tests", "test_steps", "test_data"]) {
      expect(fullRows(readFilesOf(area), `SELECT max(id) < 1000000 AS low FROM ${table}`)).toEqual([
        { low: 1 },
      ]);
      expect(readColumn(area.cacheDb, `SELECT count(*) FROM ${table} WHERE id >= 1000000`)).toEqual([2]);
    }
  });

  it("outlasts Megatest's -remove-runs", () => {
    const { area } = areaWithGap();
    const before = gapRows(area.cacheDb);
    removeRuns(area.cacheDb, [1]);
    expect(gapRows(area.cacheDb)).toEqual(before);
  });

  it("is put back by the next job where a -cleanup-db removed a part of it, and made lasting where it is an old one", async () => {
    const { area, ids } = areaWithGap();
    const old = newArea({ runs: 2, testsPerRun: 2, inFlight: 0, unsynced: false });
    await repair(old);
    expect(gapRows(old.cacheDb)).toEqual([]);
    cleanUp([area.cacheDb, area.refDb]);
    settleTimes(area);
    expect(gapRows(area.cacheDb)).toHaveLength(2);
    await repair(area);
    expect(gapRows(area.cacheDb)).toHaveLength(4);
    expect(gapRows(area.refDb)).toEqual(gapRows(area.cacheDb));
    expect(gapRows(area.cacheDb).every(({ id }) => Number(id) > 1_000_000)).toBe(true);
    edit(area, ["cache", "ref"], (db) =>
      db.exec("UPDATE tests SET event_time = 0 WHERE testname = 'mtjobs-id-gap'"),
    );
    const [run] = gapRows(area.cacheDb);
    await repair(area);
    removeRuns(area.cacheDb, []);
    expect(gapRows(area.cacheDb)[0]).toEqual(run);
    expect(gapRows(area.cacheDb)).toHaveLength(4);
    expect(gapRows(area.cacheDb)[2]).toEqual({ id: Number(ids.test_steps) });
  });

  it("is put back in the ref first: a sync between the two commits carries nothing of it to megatest.db", async () => {
    const { area } = areaWithGap();
    cleanUp([area.cacheDb, area.refDb]);
    settleTimes(area);
    const seen: unknown[] = [];
    await withMove(area, async (session) => {
      const commit = session.commitOnce.bind(session);
      session.commitOnce = (...given) => {
        const known = new Set(gapRows(area.refDb).map((row) => JSON.stringify(row)));
        seen.push(gapRows(area.cacheDb).filter((row) => !known.has(JSON.stringify(row))));
        return commit(...given);
      };
      await repairGap(session);
    });
    expect(seen).toEqual([[], []]);
    expect(gapRows(area.cacheDb)).toHaveLength(4);
  });
});

const repair = (area: SampleArea) => withMove(area, (session) => repairGap(session));

const gapRows = (file: string) => [
  ...readRows(file, "SELECT id FROM runs WHERE runname = 'mtjobs-id-gap'"),
  ...readRows(file, "SELECT id, event_time FROM tests WHERE testname = 'mtjobs-id-gap'"),
  ...readRows(file, "SELECT id FROM test_steps WHERE stepname = 'mtjobs-id-gap'"),
  ...readRows(file, "SELECT id FROM test_data WHERE variable = 'mtjobs-id-gap'"),
];
