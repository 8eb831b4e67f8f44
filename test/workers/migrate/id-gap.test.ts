import { describe, expect, it } from "vitest";
import { openConnection } from "../../../shared/sqlite/connection.ts";
import { gapAbove, writeGap } from "../../../workers/migrate/id-gap.ts";
import { transact } from "../../../workers/move/transaction.ts";
import { fullRows, readFilesOf } from "../../support/divided-area.ts";
import { settleTimes } from "../../support/edit-area.ts";
import { openClient } from "../../support/megatest/client.ts";
import { refill } from "../../support/megatest/refill.ts";
import { syncOnce } from "../../support/megatest/sync.ts";
import { readColumn, readRows } from "../../support/read-rows.ts";
import { movedIds, reduceSafely } from "../../support/run-reduce.ts";
import { buildTempArea } from "../../support/temp-area.ts";

function areaWithGap() {
  const area = buildTempArea({ runs: 4, testsPerRun: 3, inFlight: 0, unsynced: false });
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
});
