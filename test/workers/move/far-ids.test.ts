import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  everywhere,
  farIds,
  fingerprint,
  giveId,
  isCampaign,
  newArea,
  readColumn,
  recordTables,
} from "../../support/area.ts";
import { reduceSafely, runReduce, runRepair, runRestore, unionOf } from "../../support/queue.ts";

const largest = 2n ** 63n - 1n;
const identified = ["runs", "tests", "test_steps", "test_data"];

const smallArea = () =>
  newArea({ runs: 5, inFlight: 1, unsynced: false, testsPerRun: 4, stepsPerTest: 2, dataPerTest: 2 });

const rowsLeft = (area: SampleArea) =>
  [area.cacheDb, area.refDb, area.megatestDb].map((file) =>
    ["runs", "tests", "test_rundat", "run_stats", "extradat", "archives"].map((table) =>
      Number(
        readColumn(
          file,
          `SELECT count(*) FROM ${table} WHERE ${table === "runs" ? "runname" : table === "tests" ? "testname" : "''"} IS NOT 'mtjobs-id-guard'`,
        )[0],
      ),
    ),
  );

/** Every id in every table in a campaign; otherwise each table once, with one id after the other. */
const cases = recordTables.flatMap((table, index) =>
  farIds
    .filter((id) => isCampaign || farIds.indexOf(id) === index % farIds.length)
    .map((id) => ({ table, id })),
);

describe("ids that no JavaScript number holds", () => {
  it.each(cases)(
    "from $id on move out, are looked at again, and come back just so: $table",
    async ({ table, id }) => {
      const area = smallArea();
      giveId(area, table, 2, id);
      giveId(area, table, 3, id + 1n);
      const { before, result } = await reduceSafely(area);
      expect([result.moved.runs, result.moved.tests, result.warnings]).toEqual([4, 16, []]);
      // One run is in flight: nothing else is left, not in tables without an index on their parent either.
      const left = rowsLeft(area);
      expect(left.map(([runs, tests]) => [runs, tests])).toEqual([
        [1, 4],
        [1, 4],
        [1, 4],
      ]);
      expect(left[0]?.slice(2)).toEqual([2, 2, 1, 2]);
      expect(left[2]?.slice(2)).toEqual([0, 0, 0, 0]);
      const again = await runReduce(area);
      expect([again.result.moved.runs, again.result.late]).toEqual([0, 0]);
      expect((await runRepair(area)).result.moved.runs).toBe(0);
      assertNothingLost(before, unionOf(area));
      const back = await runRestore(area);
      expect([back.result.moved.runs, back.result.skipped]).toEqual([4, []]);
      assertNothingLost(before, unionOf(area));
    },
  );

  it.each(cases)(
    "from $id on stay in place with a run in flight, and end no walk: $table",
    async ({ table, id }) => {
      const area = smallArea();
      giveId(area, table, 5, id);
      const { result } = await reduceSafely(area);
      expect(result.moved.runs).toBe(4);
      expect((await runReduce(area)).result.moved.runs).toBe(0);
    },
  );

  it.each(farIds)(
    "from %d on are told exactly in results, and taken where a run is asked for by id",
    async (id) => {
      const area = smallArea();
      giveId(area, "runs", 2, id);
      const { result } = await runReduce(area, { runname: undefined, runId: [String(id)] });
      expect(result.runs).toMatchObject([{ id: String(id) }]);
      expect((await runRestore(area, { runname: undefined, runId: [String(id)] })).result.runs).toMatchObject(
        [{ id: String(id) }],
      );
    },
  );
});

describe("late rows and risen rows beyond 2^53", () => {
  it("are brought to their run, in every table", async () => {
    const area = smallArea();
    giveId(area, "tests", 2, 2n ** 62n + 1n);
    giveId(area, "runs", 2, 2n ** 62n);
    await runReduce(area);
    const before = unionOf(area);
    edit(area, ["cache"], (db) =>
      db.exec(`INSERT INTO test_steps (id, test_id, stepname, state) VALUES (${2n ** 62n + 7n}, ${2n ** 62n + 1n}, 'late', 'end');
        INSERT INTO test_rundat (id, test_id, cpuload) VALUES (${2n ** 62n + 9n}, ${2n ** 62n + 1n}, 7);
        INSERT INTO run_stats (id, run_id, state) VALUES (${2n ** 62n + 11n}, ${2n ** 62n}, 'LATE')`),
    );
    expect((await runReduce(area)).result.late).toBe(3);
    assertNothingLost(before, unionOf(area), { newRecords: true });
    expect(readColumn(area.cacheDb, "SELECT count(*) FROM test_steps WHERE stepname = 'late'")).toEqual([0]);
    expect(completedColumn(area, "SELECT CAST(id AS TEXT) FROM test_steps WHERE stepname = 'late'")).toEqual([
      String(2n ** 62n + 7n),
    ]);
  });
});

describe("the largest id there is", () => {
  it.each(identified)(
    "in %s is refused by name by every job and dry run, with nothing changed",
    async (table) => {
      const area = smallArea();
      giveId(area, table, 2, largest);
      const before = fingerprint(area.directory, area.cacheRoot);
      const refused = { code: "ids-used-up", message: expect.stringContaining(`table ${table} of `) };
      await expect(runReduce(area, { dryRun: true })).rejects.toMatchObject(refused);
      await expect(runReduce(area)).rejects.toMatchObject(refused);
      await expect(runRepair(area)).rejects.toMatchObject(refused);
      await expect(runRestore(area)).rejects.toMatchObject(refused);
      expect(fingerprint(area.directory, area.cacheRoot)).toEqual(before);
    },
  );

  it.each(["run_stats", "extradat", "test_rundat", "archives"])(
    "in %s moves and comes back, also where it is taken by then",
    async (table) => {
      const area = smallArea();
      giveId(area, table, 2, largest);
      giveId(area, table, 3, -(2n ** 62n));
      const { before } = await reduceSafely(area);
      // The run that is in flight has got that id, and another one its neighbour.
      giveId(area, table, 5, largest, ["cache"]);
      const middle = unionOf(area);
      const back = await runRestore(area);
      expect([back.result.moved.runs, back.result.skipped]).toEqual([4, []]);
      assertNothingLost(middle, unionOf(area));
      assertNothingLost(before, unionOf(area));
    },
  );

  it.each(["run_stats", "extradat", "test_rundat", "archives"])(
    "and the smallest in %s at once are refused, for there is no room at either end",
    async (table) => {
      const area = smallArea();
      giveId(area, table, 2, largest, everywhere);
      giveId(area, table, 3, -(2n ** 63n));
      const before = fingerprint(area.directory, area.cacheRoot);
      await expect(runReduce(area)).rejects.toMatchObject({ code: "ids-used-up" });
      expect(fingerprint(area.directory, area.cacheRoot)).toEqual(before);
    },
  );
});
