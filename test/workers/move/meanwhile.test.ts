import Database from "better-sqlite3";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { SourceSession } from "../../../workers/move/sources/source-session.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  filesOf,
  firstTestOf,
  keptVersions,
  newArea,
  type Place,
  readColumn,
} from "../../support/area.ts";
import { movedIds, runReduce, skippedBy, unionOf } from "../../support/queue.ts";

function agreedArea(): SampleArea {
  return newArea({ runs: 3, inFlight: 0, unsynced: false, testsPerRun: 4 });
}

/** Runs SQL in the places at each of the first `times` passings of a step. */
function writeAt(
  area: SampleArea,
  step: string,
  places: readonly Place[],
  sql: (time: number) => string,
  times = 1,
) {
  let passed = 0;
  return (name: string) => {
    if (name !== step || passed >= times) return;
    passed += 1;
    edit(area, places, (db) => db.exec(sql(passed)));
  };
}

describe("a run that a client writes to while it is being moved", () => {
  it.each(["copied", "verified", "removing"])(
    "is copied again where it was written to at %s, and moves as it is then",
    async (step) => {
      const area = agreedArea();
      const id = firstTestOf(area, 2);
      const failpoint = writeAt(
        area,
        step,
        ["cache"],
        () => `UPDATE tests SET comment = 'meanwhile' WHERE id = ${id}`,
      );
      const { result } = await runReduce(area, {}, { failpoint });
      expect(movedIds(result)).toEqual([1, 2, 3]);
      expect(completedColumn(area, "SELECT comment FROM tests WHERE id = ?", id)).toEqual(["meanwhile"]);
      expect(readColumn(area.cacheDb, "SELECT count(*) FROM tests WHERE state <> 'DELETED'")).toEqual([0]);
      expect(result.moved.tests).toBe(12);
    },
  );

  it("moves with a test, a step and a note that came after it was copied", async () => {
    const area = agreedArea();
    const id = firstTestOf(area, 2);
    const failpoint = writeAt(
      area,
      "removing",
      ["cache"],
      () => `INSERT INTO tests (run_id, testname, state) VALUES (2, 'meanwhile', 'COMPLETED');
        INSERT INTO test_steps (test_id, stepname, state) VALUES (${id}, 'meanwhile', 'end');
        INSERT INTO extradat (run_id, key) VALUES (2, 'meanwhile')`,
    );
    const before = unionOf(area);
    const { result } = await runReduce(area, {}, { failpoint });
    expect(result.moved.runs).toBe(3);
    expect(completedColumn(area, "SELECT run_id FROM tests WHERE testname = 'meanwhile'")).toEqual([2]);
    expect(completedColumn(area, "SELECT test_id FROM test_steps WHERE stepname = 'meanwhile'")).toEqual([
      id,
    ]);
    // No index finds the note: the next job does at the latest.
    await runReduce(area, { runname: "no such run" });
    expect(completedColumn(area, "SELECT run_id FROM extradat WHERE key = 'meanwhile'")).toEqual([2]);
    assertNothingLost(before, unionOf(area), { newRecords: true });
  });

  it("moves without what a client deleted after it was copied", async () => {
    const area = agreedArea();
    const id = firstTestOf(area, 2);
    const failpoint = writeAt(
      area,
      "removing",
      ["cache", "ref", "area"],
      () => `UPDATE tests SET state = 'DELETED' WHERE id = ${id}`,
    );
    const { result } = await runReduce(area, {}, { failpoint });
    expect(result.moved.runs).toBe(3);
    expect(completedColumn(area, "SELECT state FROM tests WHERE id = ?", id)).toEqual(["DELETED"]);
  });

  it("is left whole and reported as changed where the writing does not end", async () => {
    const area = agreedArea();
    const before = unionOf(area);
    const failpoint = writeAt(
      area,
      "removing",
      ["cache"],
      (time) => `UPDATE runs SET comment = 'time ${time}' WHERE id = 2`,
      99,
    );
    const { result } = await runReduce(area, {}, { failpoint });
    expect(movedIds(result)).toEqual([1, 3]);
    expect(skippedBy(result)).toEqual({ 2: "changed" });
    expect(completedColumn(area, "SELECT id FROM runs ORDER BY id")).toEqual([1, 3]);
    expect(completedColumn(area, "SELECT run_id FROM mtjobs_runs ORDER BY 1")).toEqual([1, 3]);
    expect(completedColumn(area, "SELECT count(*) FROM tests WHERE run_id = 2")).toEqual([0]);
    assertNothingLost(before, unionOf(area), { mayChange: (record) => record.path.startsWith("runs") });
    expect(movedIds((await runReduce(area)).result)).toEqual([2]);
  });

  it("stays in flight where a test of it was started again after the copy", async () => {
    const area = agreedArea();
    const id = firstTestOf(area, 2);
    const failpoint = writeAt(
      area,
      "removing",
      ["cache"],
      () => `UPDATE tests SET state = 'RUNNING', event_time = ${area.now}, run_duration = 0 WHERE id = ${id}`,
    );
    const { result } = await runReduce(area, {}, { failpoint });
    expect(movedIds(result)).toEqual([1, 3]);
    expect(skippedBy(result)).toEqual({ 2: "in-flight" });
    expect(completedColumn(area, "SELECT id FROM runs ORDER BY id")).toEqual([1, 3]);
  });

  it("has what another version says in megatest.db kept aside before it is removed there", async () => {
    const area = agreedArea();
    const id = firstTestOf(area, 2);
    const failpoint = writeAt(
      area,
      "removed-from-cache",
      ["area"],
      () => `UPDATE tests SET comment = 'meanwhile' WHERE id = ${id}`,
    );
    const { result } = await runReduce(area, {}, { failpoint });
    expect(movedIds(result)).toEqual([1, 2, 3]);
    expect(completedColumn(area, "SELECT comment FROM tests WHERE id = ?", id)).not.toEqual(["meanwhile"]);
    expect(keptVersions(area, "tests", id, "comment")).toEqual(['"meanwhile"']);
    expect(result.superseded).toBe(1);
  });

  it("has a row that came only to megatest.db meanwhile brought along before it is removed there", async () => {
    const area = agreedArea();
    const failpoint = writeAt(
      area,
      "removed-from-cache",
      ["area"],
      () => "INSERT INTO tests (run_id, testname, state) VALUES (2, 'meanwhile', 'COMPLETED')",
    );
    const { result } = await runReduce(area, {}, { failpoint });
    expect(completedColumn(area, "SELECT run_id FROM tests WHERE testname = 'meanwhile'")).toEqual([2]);
    expect(result.late).toBe(1);
    expect(readColumn(area.megatestDb, "SELECT count(*) FROM tests WHERE testname = 'meanwhile'")).toEqual([
      0,
    ]);
  });
});

describe("a run that a client writes to between the comparison of its rows and their removal", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("moves as it is then", async () => {
    const area = agreedArea();
    const id = firstTestOf(area, 2);
    let written = 0;
    const { passGap } = SourceSession.prototype;
    vi.spyOn(SourceSession.prototype, "passGap").mockImplementation(async function (this: SourceSession) {
      if (this.part === "cache" && ++written === 1)
        edit(area, ["cache"], (db) => db.exec(`UPDATE tests SET comment = 'meanwhile' WHERE id = ${id}`));
      await passGap.call(this);
    });
    const left: unknown[] = [];
    const failpoint = (step: string) => {
      const others = "SELECT count(*) FROM tests WHERE run_id IN (1, 3)";
      if (step === "removed-from-cache") left.push(readColumn(area.cacheDb, others)[0]);
    };
    const before = unionOf(area);
    const { result } = await runReduce(area, {}, { failpoint });
    expect(movedIds(result)).toEqual([1, 2, 3]);
    expect(left[0]).toBe(0);
    expect(written).toBeGreaterThan(0);
    expect(completedColumn(area, "SELECT comment FROM tests WHERE id = ?", id)).toEqual(["meanwhile"]);
    assertNothingLost(before, unionOf(area), { mayChange: (record) => record.path.includes("tests") });
  });
});

describe("a run without a complete copy", () => {
  it.each([
    "UPDATE mtjobs_runs SET state = 'copying' WHERE run_id = 2",
    "DELETE FROM mtjobs_runs WHERE run_id = 2",
  ])("keeps every row in every database, although its removal was requested: %s", async (sql) => {
    const area = agreedArea();
    const failpoint = (step: string) => {
      if (step !== "removing") return;
      const db = new Database(filesOf(area).completedDb, { fileMustExist: true });
      db.exec(sql);
      db.close();
    };
    await expect(runReduce(area, {}, { failpoint })).rejects.toMatchObject({
      code: "internal",
      message: "runs 2 have no complete copy; none of their rows were removed",
    });
    for (const file of [area.cacheDb, area.refDb, area.megatestDb])
      expect(readColumn(file, "SELECT count(*) FROM tests WHERE run_id = 2")).toEqual([4]);
  });
});

describe("what means something else by the time it is removed", () => {
  it("is not removed: a test that belongs to another run now", async () => {
    const area = agreedArea();
    const id = firstTestOf(area, 2);
    const failpoint = writeAt(
      area,
      "removed-from-cache",
      ["area"],
      () => `UPDATE tests SET run_id = 3, testname = 'given away' WHERE id = ${id}`,
    );
    await runReduce(area, { runname: undefined, runId: [2] }, { failpoint });
    expect(readColumn(area.megatestDb, "SELECT run_id FROM tests WHERE id = ?", id)).toEqual([3]);
    expect(readColumn(area.megatestDb, "SELECT count(*) FROM tests WHERE run_id = 2")).toEqual([0]);
  });

  it("counts as new: a value that lost once and was written to the cache anew", async () => {
    const area = agreedArea();
    const id = firstTestOf(area, 2);
    const set = (comment: string) => `UPDATE tests SET comment = '${comment}' WHERE id = ${id}`;
    edit(area, ["area"], (db) => db.exec(set("older")));
    edit(area, ["cache"], (db) => db.exec(set("newer")));
    const failpoint = writeAt(area, "removing", ["cache"], () => set("older"));
    const { result } = await runReduce(area, {}, { failpoint });
    expect(movedIds(result)).toEqual([1, 2, 3]);
    expect(completedColumn(area, "SELECT comment FROM tests WHERE id = ?", id)).toEqual(["older"]);
  });
});

describe("a run that a client deletes while it is being moved", () => {
  it.each([
    "DELETE FROM runs WHERE id = 2; DELETE FROM tests WHERE run_id = 2",
    "UPDATE runs SET state = 'deleted' WHERE id = 2",
  ])("may be removed between being chosen and being copied: %s", async (sql) => {
    const area = agreedArea();
    let chosen = 0;
    const onLog = (sentence: string) => {
      if (!/^Matching runs.* 3\.$/.test(sentence)) return;
      chosen += 1;
      edit(area, ["cache", "ref", "area"], (db) => db.exec(sql));
    };
    const { result } = await runReduce(area, {}, { onLog });
    expect(chosen).toBe(1);
    expect(movedIds(result)).toEqual([1, 3]);
    expect(result.skipped).toEqual([]);
    expect(completedColumn(area, "SELECT run_id FROM mtjobs_runs ORDER BY 1")).toEqual([1, 3]);
  });
});
