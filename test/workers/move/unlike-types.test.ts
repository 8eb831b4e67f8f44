import type Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  completedColumn,
  edit,
  filesOf,
  firstTestOf,
  keptVersions,
  newArea,
  type Place,
  readColumn,
} from "../../support/area.ts";
import { movedIds, runReduce, skippedBy } from "../../support/queue.ts";

const fourRuns = { runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4 };

/** Makes a table anew with another type for one column; what stands in it becomes what the type makes of it. */
function retype(db: Database.Database, table: string, column: string, type: string): void {
  const sql = String(db.prepare("SELECT sql FROM sqlite_schema WHERE name = ?").pluck().get(table));
  const others = db
    .prepare<[string], string>(
      "SELECT sql FROM sqlite_schema WHERE tbl_name = ? AND type <> 'table' AND sql IS NOT NULL",
    )
    .pluck()
    .all(table);
  const changed = sql.replace(new RegExp(`\\b${column} \\w+`), `${column} ${type}`);
  expect(changed).not.toBe(sql);
  db.exec(`CREATE TABLE kept AS SELECT * FROM ${table}; DROP TABLE ${table}; ${changed};
    INSERT INTO ${table} SELECT * FROM kept; DROP TABLE kept; ${others.join(";")}`);
}

/** An area where `column` has another type in some of its databases. */
function unlikeArea(places: readonly Place[], table: string, column: string, type: string): SampleArea {
  const area = newArea(fourRuns);
  edit(area, places, (db) => retype(db, table, column, type));
  return area;
}

/** Writes past the trigger that would set last_update. */
function write(area: SampleArea, places: readonly Place[], sql: string): void {
  edit(area, places, (db) => db.exec(`DROP TRIGGER update_tests_trigger; ${sql}`));
}

const typedValue = (file: string, column: string, id: number) =>
  readColumn(file, `SELECT typeof(${column}) || ' ' || ${column} FROM tests WHERE id = ?`, id);

/** Run 2 stayed whole for what stands in `column`; the others moved. */
function expectRun2Left(
  { result }: Awaited<ReturnType<typeof runReduce>>,
  area: SampleArea,
  column: string,
): void {
  expect(movedIds(result)).toEqual([1, 3, 4]);
  expect(skippedBy(result)).toEqual({ 2: "changed" });
  expect(result.warnings.join()).toContain(column);
  expect(completedColumn(area, "SELECT run_id FROM mtjobs_runs ORDER BY 1")).toEqual([1, 3, 4]);
  expect(completedColumn(area, "SELECT count(*) FROM tests WHERE run_id = 2")).toEqual([0]);
  expect(readColumn(area.cacheDb, "SELECT count(*) FROM tests WHERE run_id = 2")).toEqual([4]);
}

describe("a value that completed-runs.db would change, for its column has another type there", () => {
  it("keeps its run where it is: a text of the cache that an INTEGER column takes for a number", async () => {
    const area = unlikeArea(["ref", "area"], "tests", "comment", "INTEGER");
    const id = firstTestOf(area, 2);
    write(area, ["cache", "ref", "area"], `UPDATE tests SET comment = '007' WHERE id = ${id}`);
    expect(typedValue(area.megatestDb, "comment", id)).toEqual(["integer 7"]);
    expectRun2Left(await runReduce(area), area, "tests.comment");
    expect(typedValue(area.cacheDb, "comment", id)).toEqual(["text 007"]);
    expect(typedValue(area.megatestDb, "comment", id)).toEqual(["integer 7"]);
  });

  it("keeps its run where it is in a column that no sync carries", async () => {
    const area = newArea({ ...fourRuns, extraColumns: { tests: "code INTEGER" } });
    edit(area, ["area"], (db) => retype(db, "tests", "code", "REAL"));
    const id = firstTestOf(area, 2);
    edit(area, ["cache"], (db) => db.exec(`UPDATE tests SET code = 5 WHERE id = ${id}`));
    expectRun2Left(await runReduce(area), area, "tests.code");
  });

  it("keeps its run where it is in a table that never syncs", async () => {
    const area = unlikeArea(["area"], "extradat", "val", "REAL");
    edit(area, ["cache", "area"], (db) => db.exec("DELETE FROM extradat"));
    edit(area, ["cache"], (db) =>
      db.exec("INSERT INTO extradat (run_id, key, val) VALUES (2, 'k', '1.10'), (3, 'k', 'word')"),
    );
    expectRun2Left(await runReduce(area), area, "extradat.val");
    expect(completedColumn(area, "SELECT val FROM extradat")).toEqual(["word"]);
  });

  it("keeps its run where it is where only completed-runs.db has the other type, from earlier days", async () => {
    const area = newArea({ ...fourRuns, extraColumns: { tests: "code TEXT" } });
    await runReduce(area, { runname: undefined, runId: [1] });
    edit(area, ["cache", "ref", "area"], (db) => retype(db, "tests", "code", "INTEGER"));
    const id = firstTestOf(area, 2);
    edit(area, ["cache", "ref", "area"], (db) => db.exec(`UPDATE tests SET code = 7 WHERE id = ${id}`));
    const { result } = await runReduce(area);
    expect(movedIds(result)).toEqual([3, 4]);
    expect(skippedBy(result)).toEqual({ 2: "changed" });
  });

  it("is told of by a dry run as well", async () => {
    const area = unlikeArea(["ref", "area"], "tests", "comment", "INTEGER");
    write(area, ["cache"], `UPDATE tests SET comment = '007' WHERE id = ${firstTestOf(area, 2)}`);
    const { result } = await runReduce(area, { dryRun: true });
    expect(skippedBy(result)).toEqual({ 2: "changed" });
  });

  it("is kept aside to the byte where it comes late for a moved run", async () => {
    const area = unlikeArea(["ref", "area"], "tests", "comment", "INTEGER");
    edit(area, ["area"], (db) => retype(db, "extradat", "val", "REAL"));
    await runReduce(area, { runname: undefined, runId: [2] });
    edit(area, ["cache"], (db) =>
      db.exec(`INSERT INTO tests (id, run_id, testname, state, comment) VALUES (5000, 2, 'late', 'COMPLETED', '007');
        INSERT INTO extradat (id, run_id, key, val) VALUES (5000, 2, 'late', '1.10')`),
    );
    const { result } = await runReduce(area, { runname: "no such run" });
    expect(completedColumn(area, "SELECT testname FROM tests WHERE id = 5000")).toEqual(["late"]);
    expect(keptVersions(area, "tests", 5000, "comment")).toEqual(['"007"']);
    expect(keptVersions(area, "extradat", 5000, "val")).toEqual(['"1.10"']);
    expect(result).toMatchObject({ late: 1, superseded: 2 });
    expect(readColumn(area.cacheDb, "SELECT id FROM tests WHERE id = 5000")).toEqual([]);
    expect(readColumn(area.cacheDb, "SELECT id FROM extradat WHERE id = 5000")).toEqual([]);
  });
});

describe("values that columns of unlike types hold alike", () => {
  it("move", async () => {
    const area = unlikeArea(["ref", "area"], "tests", "comment", "INTEGER");
    const id = firstTestOf(area, 2);
    write(area, ["cache", "ref", "area"], `UPDATE tests SET comment = '7 apples' WHERE id = ${id}`);
    expect(movedIds((await runReduce(area)).result)).toEqual([1, 2, 3, 4]);
    expect(typedValue(filesOf(area).completedDb, "comment", id)).toEqual(["text 7 apples"]);
  });

  it("are told apart from those that only look alike: the newer one of megatest.db moves, the cache's is kept", async () => {
    const area = unlikeArea(["cache", "ref"], "tests", "comment", "INTEGER");
    const id = firstTestOf(area, 2);
    const set = (time: number) => `UPDATE tests SET comment = '7', last_update = ${time} WHERE id = ${id}`;
    write(area, ["cache", "ref"], set(1_700_000_000));
    write(area, ["area"], set(1_700_000_900));
    const { result } = await runReduce(area);
    expect(movedIds(result)).toEqual([1, 2, 3, 4]);
    expect(typedValue(filesOf(area).completedDb, "comment", id)).toEqual(["text 7"]);
    expect(keptVersions(area, "tests", id, "comment")).toContain("i:7");
  });
});
