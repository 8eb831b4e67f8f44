import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { completedColumn, edit, filesOf, newArea, type Place, readColumn } from "../../support/area.ts";
import { movedIds, reduceSafely, runReduce, runReduceProcess } from "../../support/queue.ts";

const fourRuns = { runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4 };

/** Triggers that somebody added to Megatest's own, which never fire on an INSERT. */
const stamps = ["runs", "tests", "test_steps", "extradat", "test_meta"].map((table) => {
  const column = table === "extradat" ? "val" : table === "test_meta" ? "owner" : "comment";
  return `CREATE TRIGGER "stamp ""${table}""" AFTER INSERT ON ${table}
    BEGIN UPDATE ${table} SET ${column} = 'stamped' WHERE id = new.id; END`;
});

function addStamps(area: SampleArea, places: readonly Place[]): void {
  edit(area, places, (db) => db.exec(stamps.join(";")));
}

const triggersIn = (file: string) =>
  readColumn(file, "SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name");

describe("triggers that change rows as they are inserted", () => {
  it("leave what moves as it was, and are in completed-runs.db word for word", async () => {
    const area = newArea(fourRuns);
    addStamps(area, ["area"]);
    const { result } = await reduceSafely(area);
    expect(result.moved.runs).toBe(4);
    expect(completedColumn(area, "SELECT count(*) FROM tests WHERE comment = 'stamped'")).toEqual([0]);
    expect(completedColumn(area, "SELECT count(*) FROM test_meta WHERE owner = 'stamped'")).toEqual([0]);
    expect(triggersIn(area.megatestDb)).toHaveLength(10);
    expect(triggersIn(filesOf(area).completedDb)).toEqual(triggersIn(area.megatestDb));
  });

  it("leave what comes late as it was reported", async () => {
    const area = newArea(fourRuns);
    addStamps(area, ["area"]);
    await reduceSafely(area, { runname: undefined, runId: [1, 2] });
    edit(area, ["cache"], (db) =>
      db.exec(`INSERT INTO tests (id, run_id, testname, state, comment) VALUES (5000, 2, 'late', 'COMPLETED', 'mine');
        INSERT INTO extradat (run_id, key, val) VALUES (2, 'late', 'mine')`),
    );
    const { result } = await reduceSafely(area, { runname: "no such run" });
    expect(result).toMatchObject({ late: 2, superseded: 0 });
    expect(completedColumn(area, "SELECT comment FROM tests WHERE id = 5000")).toEqual(["mine"]);
    expect(completedColumn(area, "SELECT val FROM extradat WHERE key = 'late'")).toEqual(["mine"]);
  });

  it("do not keep a dead job's copies from being taken back, even if they forbid it", async () => {
    const area = newArea(fourRuns);
    const { signal } = await runReduceProcess(area, ["--runname", "%", "--compact", "never"], {
      MTJOBS_FAILPOINT: "copied=kill",
    });
    expect(signal).toBe("SIGKILL");
    const db = new Database(filesOf(area).completedDb);
    const forbids = "CREATE TRIGGER forbids BEFORE DELETE ON tests BEGIN SELECT raise(ABORT, 'never'); END";
    db.exec(forbids);
    db.close();
    expect(movedIds((await runReduce(area)).result)).toEqual([1, 2, 3, 4]);
    expect(triggersIn(filesOf(area).completedDb)).toContain(forbids);
  });
});
