import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  everywhere,
  filesOf,
  keptVersions,
  newArea,
  readColumn,
  readRows,
  unionOfRuns,
} from "../../support/area.ts";
import { movedIds, reduceSafely, runReduce, runReduceProcess, skippedBy } from "../../support/queue.ts";

const fourRuns = { runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4 };
const onlyRun = (id: number) => ({ runname: undefined, runId: [id] });

/** Registers a run with the target and name of one that moved. Returns its new id. */
function registerAgain(area: SampleArea, runId: number): number {
  const [row] = readRows(filesOf(area).completedDb, "SELECT * FROM runs WHERE id = ?", runId);
  let id = 0;
  edit(area, everywhere, (db) => {
    const columns = ["runname", "state", "status", "event_time", ...area.keys];
    const sql = `INSERT INTO runs (${columns.map((name) => `"${name}"`).join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
    id = Number(db.prepare(sql).run(...columns.map((name) => row?.[name])).lastInsertRowid);
    db.prepare(
      "INSERT INTO tests (run_id, testname, state, status) VALUES (?, 'again', 'COMPLETED', 'PASS')",
    ).run(id);
  });
  return id;
}

describe("a run whose target and name are in completed-runs.db already", () => {
  it("is left and reported as a conflict, and the others move", async () => {
    const area = newArea(fourRuns);
    await reduceSafely(area, onlyRun(2));
    const again = registerAgain(area, 2);
    const { result } = await reduceSafely(area);
    expect(movedIds(result)).toEqual([1, 3, 4]);
    expect(skippedBy(result)).toEqual({ [again]: "conflict" });
    expect(result.skippedCounts).toEqual({ conflict: 1 });
    expect(readColumn(area.megatestDb, "SELECT testname FROM tests WHERE run_id = ?", again)).toEqual([
      "again",
    ]);
  });

  it("is left when its id is asked for too", async () => {
    const area = newArea(fourRuns);
    await reduceSafely(area, onlyRun(2));
    const again = registerAgain(area, 2);
    const { result } = await reduceSafely(area, onlyRun(again));
    expect(result.moved.runs).toBe(0);
    expect(skippedBy(result)).toEqual({ [again]: "conflict" });
  });

  it("is a conflict in a dry run as well", async () => {
    const area = newArea(fourRuns);
    await reduceSafely(area, onlyRun(2));
    const again = registerAgain(area, 2);
    const { result } = await runReduce(area, { dryRun: true });
    expect(skippedBy(result)).toEqual({ [again]: "conflict" });
  });

  it("is told by the whole name: the same run name on another target is no conflict", async () => {
    const area = newArea(fourRuns);
    edit(area, everywhere, (db) => db.exec("UPDATE runs SET runname = 'same', datapath = 'path' || id"));
    await reduceSafely(area, onlyRun(2));
    expect(movedIds((await reduceSafely(area)).result)).toEqual([1, 3, 4]);
  });

  it.each(["copied", "removing", "removed-from-cache", "removed-from-ref"])(
    "is no conflict where its rows there are its own copy of a job killed at %s",
    async (step) => {
      const area = newArea(fourRuns);
      const before = unionOfRuns(filesOf(area));
      const killed = await runReduceProcess(area, ["--run-id", "2", "--compact", "never"], {
        MTJOBS_FAILPOINT: `${step}=kill`,
      });
      expect(killed.signal).toBe("SIGKILL");
      expect(completedColumn(area, "SELECT count(*) FROM runs")).toEqual([1]);
      const { result } = await runReduce(area, onlyRun(2));
      expect(movedIds(result)).toEqual([2]);
      expect(result.skipped).toEqual([]);
      assertNothingLost(before, unionOfRuns(filesOf(area)));
    },
  );
});

describe("cache and megatest.db with the same name under two ids", () => {
  it("make a run a conflict under both ids: only a person can say which is meant", async () => {
    const area = newArea(fourRuns);
    edit(area, ["cache"], (db) =>
      db.exec(
        "UPDATE tests SET run_id = 500 WHERE run_id = 2; UPDATE runs SET id = 500 WHERE id = 2; DELETE FROM extradat; DELETE FROM run_stats",
      ),
    );
    edit(area, ["ref", "area"], (db) => db.exec("DELETE FROM extradat; DELETE FROM run_stats"));
    const { result } = await reduceSafely(area, {}, { losses: { mayChange: () => true } });
    expect(movedIds(result)).toEqual([1, 3, 4]);
    expect(skippedBy(result)).toEqual({ 2: "conflict", 500: "conflict" });
  });

  it("make the cache's test the one that moves, and keep the other with its steps and data", async () => {
    const area = newArea(fourRuns);
    const [test] = readColumn(area.cacheDb, "SELECT max(id) FROM tests WHERE run_id = 2");
    edit(area, ["cache"], (db) =>
      db.exec(`UPDATE tests SET id = 700, comment = 'registered anew' WHERE id = ${test};
        UPDATE test_steps SET test_id = 700 WHERE test_id = ${test}; UPDATE test_data SET test_id = 700 WHERE test_id = ${test};
        UPDATE test_rundat SET test_id = 700 WHERE test_id = ${test}; UPDATE archives SET test_id = 700 WHERE test_id = ${test}`),
    );
    edit(area, ["area"], (db) => db.exec(`DELETE FROM test_rundat; DELETE FROM archives`));
    const { result } = await reduceSafely(area);
    expect(movedIds(result)).toEqual([1, 2, 3, 4]);
    expect(completedColumn(area, "SELECT comment FROM tests WHERE id = 700")).toEqual(["registered anew"]);
    expect(completedColumn(area, `SELECT count(*) FROM tests WHERE id = ${test}`)).toEqual([0]);
    expect(keptVersions(area, "tests", Number(test), "comment")).not.toEqual([]);
  });
});
