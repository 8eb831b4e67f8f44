import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  completedColumn,
  edit,
  everywhere,
  giveTestsTo,
  keptVersions,
  newArea,
  readColumn,
} from "../../support/area.ts";
import { movedIds, reduceSafely, runReduce, skippedBy } from "../../support/queue.ts";

const fourRuns = { runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4 };

/** Makes a table of the cache anew without its UNIQUE constraint, as a hand-made database may have it. */
function withoutUnique(area: SampleArea, table: string): void {
  edit(area, ["cache"], (db) => {
    const sql = String(db.prepare("SELECT sql FROM sqlite_schema WHERE name = ?").pluck().get(table));
    db.exec(`CREATE TABLE kept AS SELECT * FROM ${table}; DROP TABLE ${table};
      ${sql.replace(/, CONSTRAINT \w+ UNIQUE \([^)]*\)/, "")};
      INSERT INTO ${table} SELECT * FROM kept; DROP TABLE kept`);
  });
}

/** Gives the first test of a run a twin in the cache: the same name under another id. */
function twinTest(area: SampleArea, run: number): void {
  edit(area, ["cache"], (db) =>
    db.exec(`INSERT INTO tests (run_id, testname, item_path, state, comment)
      SELECT run_id, testname, item_path, 'COMPLETED', 'twin' FROM tests WHERE run_id = ${run} ORDER BY id LIMIT 1`),
  );
}

const testsIn = (area: SampleArea, run: number) =>
  readColumn(area.cacheDb, "SELECT count(*) FROM tests WHERE run_id = ?", run);

describe("a run that completed-runs.db cannot hold", () => {
  it("for two of its tests have one name is left whole as a conflict, and the others move", async () => {
    const area = newArea(fourRuns);
    withoutUnique(area, "tests");
    twinTest(area, 2);
    const { result } = await runReduce(area);
    expect(movedIds(result)).toEqual([1, 3, 4]);
    expect(skippedBy(result)).toEqual({ 2: "conflict" });
    expect(result.skippedCounts).toEqual({ conflict: 1 });
    expect(result.warnings.join()).toMatch(/run 2 .*UNIQUE/);
    expect(testsIn(area, 2)).toEqual([5]);
    expect(completedColumn(area, "SELECT DISTINCT run_id FROM tests ORDER BY 1")).toEqual([1, 3, 4]);
    expect(completedColumn(area, "SELECT run_id FROM mtjobs_runs ORDER BY 1")).toEqual([1, 3, 4]);
  });

  it("for two steps have one name is told from the others of its batch", async () => {
    const area = newArea(fourRuns);
    withoutUnique(area, "test_steps");
    edit(area, ["cache"], (db) =>
      db.exec(`INSERT INTO test_steps (test_id, stepname, state) SELECT s.test_id, s.stepname, s.state
        FROM test_steps AS s JOIN tests AS t ON t.id = s.test_id WHERE t.run_id IN (1, 3)`),
    );
    const { result } = await runReduce(area);
    expect(movedIds(result)).toEqual([2, 4]);
    expect(skippedBy(result)).toEqual({ 1: "conflict", 3: "conflict" });
  });

  it("for a column must not be NULL there moves once the value is there", async () => {
    const area = newArea({ ...fourRuns, extraColumns: { extradat: "source TEXT" } });
    edit(area, ["area"], (db) =>
      db.exec(
        "ALTER TABLE extradat DROP COLUMN source; ALTER TABLE extradat ADD COLUMN source TEXT NOT NULL DEFAULT 'x'",
      ),
    );
    edit(area, ["cache"], (db) => db.exec("UPDATE extradat SET source = 'y' WHERE run_id <> 2"));
    edit(area, everywhere, (db) => db.exec("DELETE FROM extradat WHERE run_id > 2"));
    edit(area, ["area"], (db) => db.exec("DELETE FROM extradat"));
    const { result } = await runReduce(area);
    expect(movedIds(result)).toEqual([1, 3, 4]);
    expect(skippedBy(result)).toEqual({ 2: "conflict" });
    edit(area, ["cache"], (db) => db.exec("UPDATE extradat SET source = 'y'"));
    expect(movedIds((await reduceSafely(area)).result)).toEqual([2]);
  });

  it("is taken out of completed-runs.db again where the first tests of it are there", async () => {
    const area = newArea({ runs: 4, inFlight: 0, unsynced: false, testsPerRun: 600 });
    giveTestsTo(area, 2, [3]);
    withoutUnique(area, "tests");
    edit(area, ["cache"], (db) =>
      db.exec(`INSERT INTO tests (run_id, testname, item_path, state)
        SELECT run_id, testname, item_path, 'COMPLETED' FROM tests WHERE run_id = 2 ORDER BY id DESC LIMIT 1`),
    );
    const { result } = await runReduce(area);
    expect(skippedBy(result)).toEqual({ 2: "conflict" });
    expect(movedIds(result)).toEqual([1, 3, 4]);
    expect(completedColumn(area, "SELECT count(*) FROM tests WHERE run_id = 2")).toEqual([0]);
    expect(testsIn(area, 2)).toEqual([1201]);
  });
});

describe("a late row that completed-runs.db does not take", () => {
  it("is kept aside, and the others come along", async () => {
    const area = newArea({ ...fourRuns, extraColumns: { extradat: "source TEXT" } });
    edit(area, ["area"], (db) =>
      db.exec(
        "ALTER TABLE extradat DROP COLUMN source; ALTER TABLE extradat ADD COLUMN source TEXT NOT NULL DEFAULT 'x'",
      ),
    );
    edit(area, ["cache"], (db) => db.exec("UPDATE extradat SET source = 'y'"));
    await runReduce(area, { runname: undefined, runId: [2] });
    edit(area, ["cache"], (db) =>
      db.exec(
        `INSERT INTO extradat (id, run_id, key, source) VALUES (901, 2, 'late', NULL), (902, 2, 'fits', 'z')`,
      ),
    );
    const { result } = await runReduce(area, { runname: "no such run" });
    expect(result).toMatchObject({ late: 1, superseded: 1 });
    expect(keptVersions(area, "extradat", 901, "key")).toEqual(['"late"']);
    expect(completedColumn(area, "SELECT id FROM extradat WHERE key = 'fits'")).toEqual([902]);
    expect(readColumn(area.cacheDb, "SELECT id FROM extradat WHERE id > 900")).toEqual([]);
  });
});
