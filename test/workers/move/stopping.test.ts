import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { JobsError } from "../../../shared/errors.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  everywhere,
  fileOf,
  giveTestsTo,
  newArea,
  type Place,
  readColumn,
} from "../../support/area.ts";
import { movedIds, runReduce, unionOf } from "../../support/queue.ts";

const leaving = () => new JobsError("stopped", "the worker is stopping");

/** Keeps everybody else out of a database for so many ms. */
function occupy(area: SampleArea, place: Place, ms: number): Promise<void> {
  const db = new Database(fileOf(area, place), { timeout: 10_000 });
  db.exec("BEGIN EXCLUSIVE");
  return new Promise((resolve) => {
    setTimeout(() => {
      db.exec("COMMIT");
      db.close();
      resolve();
    }, ms);
  });
}

describe("a job that is to stop while a database is busy", () => {
  it("ends as stopped, not as a fault of its own", async () => {
    const area = newArea({ runs: 2, inFlight: 0, unsynced: false, testsPerRun: 4 });
    const stop = new AbortController();
    const occupied = occupy(area, "area", 2500);
    setTimeout(() => stop.abort(leaving()), 1500);
    await expect(runReduce(area, {}, { signal: stop.signal })).rejects.toMatchObject({ code: "stopped" });
    await occupied;
    expect(movedIds((await runReduce(area)).result)).toEqual([1, 2]);
  });

  it.each<Place>(["cache", "ref", "area"])(
    "finishes the batch in hand where %s is free again within two seconds",
    async (place) => {
      // So small that no run is cut at any pace: a cut one would be left to the next job.
      const area = newArea({ runs: 3, inFlight: 0, unsynced: false, testsPerRun: 1 });
      const before = unionOf(area);
      const stop = new AbortController();
      let occupied: Promise<void> | undefined;
      const failpoint = (name: string) => {
        if (name !== "removing" || occupied !== undefined) return;
        occupied = occupy(area, place, 700);
        stop.abort(leaving());
      };
      await expect(runReduce(area, {}, { failpoint, signal: stop.signal })).rejects.toMatchObject({
        code: "stopped",
      });
      await occupied;
      expect(completedColumn(area, "SELECT state FROM mtjobs_runs")).toEqual(["moved", "moved", "moved"]);
      for (const at of everywhere) {
        expect(readColumn(fileOf(area, at), "SELECT count(*) FROM tests WHERE state <> 'DELETED'")).toEqual([
          0,
        ]);
      }
      assertNothingLost(before, unionOf(area));
    },
  );

  it("removes what is copied whole, and leaves what was being copied to the next job", async () => {
    const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
    const area = newArea({
      runs: 230,
      inFlight: 0,
      unsynced: false,
      testsPerRun: 10,
      stepsPerTest: 0,
      dataPerTest: 0,
    });
    // Three runs make a batch, too small to be cut at any pace; the fourth is copied in parts.
    giveTestsTo(area, 4, range(5, 230));
    edit(area, everywhere, (db) =>
      db.exec(`DELETE FROM tests WHERE run_id < 4
        AND id NOT IN (SELECT min(id) FROM tests WHERE run_id < 4 GROUP BY run_id)`),
    );
    const stop = new AbortController();
    let copies = 0;
    const failpoint = (name: string) => {
      if (name === "copied" && ++copies === 2) stop.abort(leaving());
    };
    const moving = runReduce(
      area,
      { runname: undefined, runId: range(1, 4) },
      { failpoint, signal: stop.signal },
    );
    await expect(moving).rejects.toMatchObject({ code: "stopped" });
    expect(completedColumn(area, "SELECT run_id || ' ' || state FROM mtjobs_runs ORDER BY 1")).toEqual([
      "1 moved",
      "2 moved",
      "3 moved",
      "4 copying",
    ]);
    expect(readColumn(area.megatestDb, "SELECT count(*) FROM tests WHERE run_id < 4")).toEqual([0]);
    expect(readColumn(area.megatestDb, "SELECT count(*) FROM tests WHERE run_id = 4")).toEqual([2270]);
  });
});
