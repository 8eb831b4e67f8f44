import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  changeInMegatestDbOnly,
  completedColumn,
  edit,
  everywhere,
  exportsIn,
  fileOf,
  movedRows,
  newArea,
  noRows,
  readColumn,
  readRows,
  rejectionOf,
  temporaryDirectory,
} from "../../support/area.ts";
import {
  alteredExport,
  atRest,
  purgedArea,
  reduceSafely,
  runImport,
  runPurge,
  runReduce,
  runRestore,
  unionOf,
} from "../../support/queue.ts";

const completed = (area: SampleArea) => join(area.directory, "completed-runs.db");

/** The rows without their ids, which an import may change. */
function contents(rows: Record<string, object[]>) {
  const ids = new Set(["id", "run_id", "test_id"]);
  return Object.fromEntries(
    Object.entries(rows).map(([table, all]) => [
      table,
      all.map((row) => JSON.stringify(Object.entries(row).filter(([name]) => !ids.has(name)))).sort(),
    ]),
  );
}

describe("an import", () => {
  it("reports what a dry run would do, and changes nothing", async () => {
    const { area, file, rows } = await purgedArea(1);
    const { result } = await runImport(area, file, { dryRun: true });
    expect(result).toMatchObject({ dryRun: true, moved: { runs: 1, tests: rows.tests?.length } });
    expect(movedRows(area)).toEqual(noRows);
  });

  it("gives new ids to a run whose ids are in use, and everything of it can be restored", async () => {
    const { area, rows, file } = await purgedArea(1, { testsPerRun: 3 });
    // As after a clean-up that removed the guards.
    edit(area, everywhere, (db) => {
      db.exec(
        "DELETE FROM runs WHERE runname = 'mtjobs-id-guard'; DELETE FROM tests; DELETE FROM test_steps; DELETE FROM test_data",
      );
      db.exec("INSERT INTO runs (id, runname, state, event_time) VALUES (1, 'another', 'COMPLETED', 5)");
      db.exec(
        "INSERT INTO tests (id, run_id, testname, item_path, state) VALUES (2, 1, 'other', '', 'COMPLETED')",
      );
    });
    const { result } = await runImport(area, file);
    expect(result.runs).toMatchObject([{ previousId: 1 }]);
    const id = Number(result.runs[0]?.id);
    expect(id).toBeGreaterThan(1);
    expect(contents(movedRows(area))).toEqual(contents(rows));
    const { result: restored } = await runRestore(area, { runname: undefined, runId: [id] });
    expect(restored.moved).toMatchObject({ runs: 1, tests: rows.tests?.length });
    expect(readColumn(fileOf(area, "cache"), "SELECT count(*) FROM tests WHERE run_id = 1")).toEqual([1]);
  });

  it("gives no new id to which rows refer that Megatest left of removed tests and runs", async () => {
    const { area, file, rows } = await purgedArea(1, { testsPerRun: 3 });
    edit(area, everywhere, (db) => {
      db.exec(`DELETE FROM runs WHERE runname = 'mtjobs-id-guard'; DELETE FROM tests; DELETE FROM test_steps; DELETE FROM test_data;
        INSERT INTO runs (id, runname, state, event_time) VALUES (1, 'another', 'COMPLETED', 5);
        INSERT INTO tests (id, run_id, testname, item_path, state) VALUES (2, 1, 'other', '', 'COMPLETED')`);
      const left = (max: number) => `SELECT value, value || '' FROM json_each('[3,4,5,6,7,8,9,10,${max}]')`;
      db.exec(`INSERT INTO test_data (test_id, variable) ${left(12)}; INSERT INTO test_steps (test_id, stepname) ${left(13)};
        INSERT INTO test_rundat (test_id, cpuload) ${left(14)}; INSERT INTO archives (test_id, du) ${left(15)};
        INSERT INTO run_stats (run_id, count) ${left(16)}; INSERT INTO extradat (run_id, val) ${left(17)}`);
    });
    expect((await runImport(area, file)).result.moved.runs).toBe(1);
    expect(completedColumn(area, "SELECT min(id) FROM runs WHERE state <> 'deleted'")).toEqual([18]);
    expect(completedColumn(area, "SELECT min(id) FROM tests")).toEqual([16]);
    const { result } = await runReduce(area, { runname: "none of them" });
    expect([result.late, result.superseded]).toEqual([0, 0]);
    expect(contents(movedRows(area))).toEqual(contents(rows));
  });

  it("keeps the versions of a run that gets new ids with that run, not with one that has its old ids", async () => {
    const area = newArea({ ...atRest, runs: 2 });
    changeInMegatestDbOnly(area, 1, "an older, word's");
    await runReduce(area);
    const directory = temporaryDirectory();
    const one = (run: number | string) => ({ export: directory, runname: undefined, runId: [run] });
    await runPurge(area, one(1));
    const [file = ""] = exportsIn(directory);
    // As after a clean-up that removed the guards.
    edit(area, everywhere, (db) => {
      db.exec(`DELETE FROM runs; DELETE FROM tests; DELETE FROM test_steps; DELETE FROM test_data;
        INSERT INTO runs (id, runname, state, event_time) VALUES (1, 'another', 'COMPLETED', 5);
        INSERT INTO tests (id, run_id, testname, item_path, state, event_time) SELECT value, 1, 'other', value, 'COMPLETED', 5
          FROM json_each('[1,2,3,4,5]')`);
    });
    const { result } = await runImport(area, file);
    const id = result.runs[0]?.id ?? "";
    expect(id).not.toBe(1);
    await runReduce(area);
    const exported = async (run: number | string) => {
      const purge = await runPurge(area, one(run));
      return readRows(purge.result.runs[0]?.exportFile ?? "", "SELECT * FROM mtjobs_superseded");
    };
    const kept = readRows(file, "SELECT * FROM mtjobs_superseded");
    expect(kept.length).toBeGreaterThan(0);
    expect(await exported(1)).toEqual([]);
    const [version] = await exported(id);
    const tail = (row: unknown) => String(row).split(",").slice(2);
    expect(tail(version?.row)).toEqual(tail(kept[0]?.row));
    expect(String(version?.row).split(",").slice(0, 2)).toEqual([String(version?.row_id), String(id)]);
    expect(String(version?.carried).split(",")[0]).toBe(String(id));
  });

  it("puts a run without a value of its target back once, and beside another of that name", async () => {
    const area = newArea({ ...atRest, runs: 2 });
    const [key = ""] = area.keys;
    edit(area, everywhere, (db) => db.exec(`UPDATE runs SET ${key} = NULL, runname = 'same'`));
    await runReduce(area);
    const rows = movedRows(area);
    const directory = temporaryDirectory();
    await runPurge(area, { export: directory });
    for (const file of exportsIn(directory)) {
      expect((await runImport(area, file)).result.moved.runs).toBe(1);
      const { result } = await runImport(area, file);
      expect(result).toMatchObject({ moved: { runs: 0 }, skippedCounts: { conflict: 1 } });
    }
    expect(movedRows(area)).toEqual(rows);
  });

  it("leaves a run in its file whose target and name are in the area", async () => {
    const { area, file } = await purgedArea(1);
    const [run] = readRows(file, "SELECT * FROM runs");
    const names = [...area.keys, "runname"];
    const values = names.map((name) => `'${run?.[name]}'`).join(", ");
    readRows(fileOf(area, "cache"), `INSERT INTO runs (${names.join(", ")}) VALUES (${values}) RETURNING id`);
    const { result } = await runImport(area, file);
    expect(result).toMatchObject({ moved: { runs: 0 }, skippedCounts: { conflict: 1 } });
    expect(movedRows(area)).toEqual(noRows);
  });

  it("refuses an export of another area unless it is asked for, and one without a target key", async () => {
    const { file, rows } = await purgedArea(1);
    const other = newArea({ ...atRest, runs: 2 });
    expect(await rejectionOf(runImport(other, file))).toMatchObject({ code: "conflict" });
    const twin = newArea({ ...atRest, runs: 0 });
    await runImport(twin, file, { anyArea: true });
    expect(contents(movedRows(twin))).toEqual(contents(rows));
    const keyless = alteredExport(file, (db) => {
      db.exec(
        `CREATE TABLE less AS SELECT id, runname, state, event_time FROM runs; DROP TABLE runs; ALTER TABLE less RENAME TO runs`,
      );
    });
    expect(await rejectionOf(runImport(twin, keyless, { anyArea: true }))).toMatchObject({
      code: "conflict",
    });
  });

  it("finds the archive's block by its path, where its id means another one by now", async () => {
    const { area, file } = await purgedArea(10);
    const path = (database: string) =>
      readColumn(
        database,
        "SELECT DISTINCT b.disk_path FROM tests AS t JOIN archive_blocks AS b ON b.id = t.archived ORDER BY 1",
      );
    const blocks = path(file);
    expect(blocks.length).toBeGreaterThan(0);
    const other = new Database(completed(area));
    other.exec("UPDATE archive_blocks SET disk_path = disk_path || '-another'");
    other.close();
    await runImport(area, file);
    expect(path(completed(area))).toEqual(blocks);
  });

  it("brings back what tests.archived was before its block took another id in completed-runs.db", async () => {
    const area = newArea({ ...atRest, runs: 10 });
    await reduceSafely(area, { runname: undefined, runId: [2] });
    const db = new Database(completed(area));
    db.exec("INSERT OR REPLACE INTO mtjobs_archived SELECT id, 3 FROM tests WHERE run_id = 2");
    db.close();
    const rows = movedRows(area);
    expect(rows.mtjobs_archived?.length).toBeGreaterThan(0);
    const directory = temporaryDirectory();
    await runPurge(area, { export: directory });
    await runImport(area, exportsIn(directory)[0] ?? "");
    expect(movedRows(area)).toEqual(rows);
  });

  it("refuses values in a column that the area lacks, and takes them once it has it", async () => {
    const { area, file } = await purgedArea(1);
    const wider = alteredExport(file, (db) =>
      db.exec("ALTER TABLE tests ADD COLUMN site TEXT; UPDATE tests SET site = 'x'"),
    );
    expect(await rejectionOf(runImport(area, wider))).toMatchObject({ code: "unknown-schema" });
    expect(movedRows(area)).toEqual(noRows);
    edit(area, ["area"], (db) => db.exec("ALTER TABLE tests ADD COLUMN site TEXT"));
    await runImport(area, wider);
    expect(readColumn(completed(area), "SELECT DISTINCT site FROM tests")).toEqual(["x"]);
  });

  it("brings a run of thousands of tests back, piece by piece", async () => {
    const { area, before, rows, file } = await purgedArea(1, { testsPerRun: 2500, stepsPerTest: 1 });
    await runImport(area, file);
    expect(movedRows(area)).toEqual(rows);
    await runReduce(area);
    await runRestore(area);
    assertNothingLost(before, unionOf(area));
  });

  it("is counted once, also where the history does not tell of the job that moved the run", async () => {
    const { file } = await purgedArea(1);
    const other = newArea({ ...atRest, runs: 0 });
    await runImport(other, file, { anyArea: true });
    const { result } = await runReduce(other, { runname: undefined, runId: [99] });
    expect(result).toMatchObject({ moved: { runs: 0, tests: 0 } });
  });

  it("tells the target as the area has it, which may have the keys in another order", async () => {
    const { file, area } = await purgedArea(1);
    const other = newArea({ ...atRest, runs: 0 });
    const config = join(other.directory, "megatest.config");
    const [first = "", second = ""] = area.keys;
    const swapped = new RegExp(`^(${first} .*)\\n(${second} .*)$`, "m");
    writeFileSync(config, readFileSync(config, "utf8").replace(swapped, "$2\n$1"));
    const { result } = await runImport(other, file, { anyArea: true });
    const {
      [first]: one,
      [second]: two,
      ...rest
    } = readRows(completed(other), "SELECT * FROM runs")[0] ?? {};
    const others = area.keys.slice(2).map((key) => rest[key]);
    expect(result.runs[0]?.target).toBe([two, one, ...others].join("/"));
    expect(one).not.toBe(two);
  });
});

it("gives the run of another area new ids where rows that a removed test left would pass for its own", async () => {
  const { file } = await purgedArea(1);
  const [test] = readRows(file, "SELECT id FROM tests LIMIT 1");
  const other = newArea({ runs: 1, testsPerRun: 1, inFlight: 0, unsynced: false });
  edit(other, everywhere, (db) =>
    db.exec(`UPDATE runs SET id = id + 500, runname = 'own'; UPDATE tests SET id = id + 500, run_id = run_id + 500;
      UPDATE test_steps SET id = id + 5000, test_id = test_id + 500; UPDATE test_data SET id = id + 5000, test_id = test_id + 500;
      INSERT INTO test_data (id, test_id, category, variable, comment)
        VALUES (9000, ${String(test?.id)}, 'own', 'v', 'left behind')`),
  );
  await runImport(other, file, { anyArea: true });
  await runReduce(other, { runname: "no such run" });
  expect(completedColumn(other, "SELECT count(*) FROM test_data WHERE comment = 'left behind'")).toEqual([0]);
  expect(readColumn(other.megatestDb, "SELECT comment FROM test_data WHERE id = 9000")).toEqual([
    "left behind",
  ]);
});
