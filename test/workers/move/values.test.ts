import type Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  addClashingLooseRows,
  addNullKeys,
  addOddValues,
  addOrphans,
  completedColumn,
  edit,
  everywhere,
  filesOf,
  keptVersions,
  newArea,
  readColumn,
  readRows,
  reuseBlockId,
} from "../../support/area.ts";
import { reduceSafely, runReduce } from "../../support/queue.ts";

const fourRuns = { runs: 4, inFlight: 0, unsynced: false };

describe("values move exactly as they were", () => {
  it("texts that are no UTF-8 or hold a NUL, blobs, the ends of the integers, infinities and minus zero", async () => {
    const area = newArea(fourRuns);
    addOddValues(area, 2);
    addOddValues(area, 3);
    const { result } = await reduceSafely(area);
    expect(result.moved.runs).toBe(4);
    expect(result.superseded).toBe(0);
  });

  it("odd values of which the losing version is kept can be read back byte by byte", async () => {
    const area = newArea(fourRuns);
    addOddValues(area, 2);
    edit(area, ["cache"], (db) => db.exec("UPDATE test_data SET units = 'mm' WHERE category = 'odd'"));
    const { result } = await reduceSafely(area);
    expect(result).toMatchObject({ superseded: 0, unsynced: 10 });
    const comments = completedColumn(
      area,
      "SELECT id FROM test_data WHERE category = 'odd' ORDER BY id",
    ).flatMap((id) => keptVersions(area, "test_data", Number(id), "comment"));
    expect(comments).toContain(JSON.stringify("a\0b'\0"));
    expect(comments).toContain("text 66FFFE806F");
  });

  it("NULLs in the columns that make a row unique, once for each row", async () => {
    const area = newArea(fourRuns);
    addNullKeys(area, 2);
    const { result } = await reduceSafely(area);
    expect(result.moved.runs).toBe(4);
    const test = firstTestIn(area);
    expect(
      completedColumn(area, "SELECT count(*) FROM test_steps WHERE test_id = ? AND state IS NULL", test),
    ).toEqual([2]);
  });

  it("last_update of every row is the cache's, whatever triggers the table has", async () => {
    const area = newArea(fourRuns);
    const times = (file: string, table: string) =>
      readColumn(file, `SELECT id || ' ' || last_update FROM ${table} ORDER BY id`);
    const tables = ["runs", "tests", "test_steps", "test_data"];
    const expected = tables.map((table) => times(area.cacheDb, table));
    await reduceSafely(area);
    expect(tables.map((table) => times(filesOf(area).completedDb, table))).toEqual(expected);
  });

  it("ids stay, also those of zero and below, which SQLite never hands out", async () => {
    const area = newArea(fourRuns);
    edit(area, everywhere, (db) =>
      db.exec(`INSERT INTO tests (id, run_id, testname, state) VALUES (0, 2, 'zero', 'COMPLETED'), (-5, 2, 'below', 'COMPLETED');
        INSERT INTO test_steps (id, test_id, stepname, state) VALUES (-7, -5, 's', 'end');`),
    );
    await reduceSafely(area);
    expect(completedColumn(area, "SELECT id FROM tests WHERE id < 1 ORDER BY id")).toEqual([-5, 0]);
    expect(completedColumn(area, "SELECT test_id FROM test_steps WHERE id = -7")).toEqual([-5]);
  });

  it("rows without a parent that belong to no moved run stay in place", async () => {
    const area = newArea(fourRuns);
    addOrphans(area);
    await reduceSafely(area);
    expect(readColumn(area.cacheDb, "SELECT testname FROM tests WHERE run_id = 987654")).toEqual([
      "late_for_nobody",
    ]);
  });
});

/** The first test of run 2 as completed-runs.db has it. */
function firstTestIn(area: SampleArea): number {
  const sql = "SELECT min(id) FROM tests WHERE run_id = 2 AND uname <> 'n/a'";
  return Number(completedColumn(area, sql)[0]);
}

describe("rows of tables that never sync", () => {
  it("come from the cache under their ids, and those of megatest.db alone under new ones where theirs are taken", async () => {
    const area = newArea(fourRuns);
    addClashingLooseRows(area, 2);
    const ids = readColumn(area.cacheDb, "SELECT id FROM extradat ORDER BY id");
    const { result } = await reduceSafely(area);
    const notes = readRows(filesOf(area).completedDb, "SELECT id, key FROM extradat ORDER BY id");
    expect(notes.filter(({ key }) => key !== "only here" && key !== "remark").map(({ id }) => id)).toEqual(
      ids,
    );
    expect(notes.filter(({ key }) => key === "only here")).toHaveLength(2);
    expect(notes.filter(({ key, id }) => key === "only here" && ids.includes(id ?? null))).toEqual([]);
    expect(result).toMatchObject({ moved: { extradat: notes.length }, late: 0, superseded: 0 });
  });

  it("that both databases have count once, and twins as often as the database that has more of them", async () => {
    const area = newArea(fourRuns);
    const add = (db: Database.Database, times: number) => {
      for (let n = 0; n < times; n++)
        db.exec("INSERT INTO extradat (run_id, key, val) VALUES (2, 'twin', NULL)");
    };
    edit(area, ["cache"], (db) => add(db, 2));
    edit(area, ["area"], (db) => add(db, 3));
    await reduceSafely(area);
    expect(completedColumn(area, "SELECT count(*) FROM extradat WHERE key = 'twin'")).toEqual([3]);
  });

  it("leave nothing behind in any database", async () => {
    const area = newArea(fourRuns);
    addClashingLooseRows(area, 2);
    await reduceSafely(area);
    for (const table of ["run_stats", "extradat", "test_rundat", "archives"]) {
      for (const file of [area.cacheDb, area.refDb, area.megatestDb]) {
        expect(readColumn(file, `SELECT count(*) FROM ${table}`)).toEqual([0]);
      }
    }
  });
});

describe("archive blocks and disks", () => {
  const pathsOf = (file: string, run: number) =>
    readColumn(
      file,
      `SELECT (SELECT k.disk_path FROM archive_disks AS k WHERE k.id = b.archive_disk_id) || ' ' || b.disk_path
       FROM tests AS t JOIN archive_blocks AS b ON b.id = t.archived WHERE t.run_id = ? ORDER BY t.id`,
      run,
    );

  /** Run `run` lies in blocks 1 to 3. */
  function archive(area: SampleArea, run: number): void {
    edit(area, everywhere, (db) => db.exec(`UPDATE tests SET archived = 1 + id % 3 WHERE run_id = ${run}`));
  }

  it("go along with the tests that name them, and no others", async () => {
    const area = newArea(fourRuns);
    archive(area, 2);
    edit(area, ["cache", "area"], (db) =>
      db.exec("INSERT INTO archive_blocks (id, disk_path) VALUES (9, 'unused')"),
    );
    const paths = pathsOf(area.cacheDb, 2);
    await reduceSafely(area);
    expect(paths).toHaveLength(10);
    expect(pathsOf(filesOf(area).completedDb, 2)).toEqual(paths);
    expect(completedColumn(area, "SELECT id FROM archive_blocks ORDER BY id")).toEqual([1, 2, 3]);
    expect(readColumn(area.megatestDb, "SELECT count(*) FROM archive_blocks")).toEqual([4]);
  });

  it("take a new id where theirs means another path by now, with the tests, which remember the old one", async () => {
    const area = newArea(fourRuns);
    archive(area, 2);
    archive(area, 3);
    await reduceSafely(area, { runname: undefined, runId: [2] });
    reuseBlockId(area, ["cache", "area"], 2);
    const paths = pathsOf(area.cacheDb, 3);
    const named = readColumn(
      area.cacheDb,
      "SELECT id FROM tests WHERE run_id = 3 AND archived = 2 ORDER BY id",
    );
    const { result } = await reduceSafely(area, { runname: undefined, runId: [3] });
    expect(result).toMatchObject({ moved: { runs: 1 }, superseded: 0 });
    expect(pathsOf(filesOf(area).completedDb, 3)).toEqual(paths);
    expect(
      completedColumn(area, "SELECT test_id FROM mtjobs_archived WHERE original = 2 ORDER BY test_id"),
    ).toEqual(named);
    expect(completedColumn(area, "SELECT id FROM archive_blocks ORDER BY id")).toEqual([1, 2, 3, 4]);
  });

  it("swap their ids between two moves without being mixed up", async () => {
    const area = newArea(fourRuns);
    archive(area, 2);
    archive(area, 3);
    await reduceSafely(area, { runname: undefined, runId: [2] });
    edit(area, ["cache", "area"], (db) =>
      db.exec(`UPDATE archive_blocks SET id = 100 WHERE id = 1; UPDATE archive_blocks SET id = 1 WHERE id = 2;
        UPDATE archive_blocks SET id = 2 WHERE id = 100`),
    );
    const paths = pathsOf(area.cacheDb, 3);
    await reduceSafely(area, { runname: undefined, runId: [3] });
    expect(pathsOf(filesOf(area).completedDb, 3)).toEqual(paths);
    expect(completedColumn(area, "SELECT count(*) FROM archive_blocks")).toEqual([3]);
  });

  it("that no database knows leave the test's number as it is", async () => {
    const area = newArea(fourRuns);
    edit(area, everywhere, (db) => db.exec("UPDATE tests SET archived = 77 WHERE run_id = 2"));
    await reduceSafely(area);
    expect(completedColumn(area, "SELECT DISTINCT archived FROM tests WHERE run_id = 2")).toEqual([77]);
  });
});

describe("the rows that describe the area", () => {
  it("go along: keys, the version, and the descriptions of tests, the cache's before megatest.db's", async () => {
    const area = newArea(fourRuns);
    edit(area, ["area"], (db) =>
      db.exec("INSERT INTO test_meta (testname, description) VALUES ('there', 'only there')"),
    );
    await reduceSafely(area);
    const { completedDb } = filesOf(area);
    expect(readColumn(completedDb, "SELECT fieldname FROM keys ORDER BY id")).toEqual(area.keys);
    expect(readColumn(completedDb, "SELECT val FROM metadat")).toEqual(["1.6584"]);
    expect(readColumn(completedDb, "SELECT author FROM test_meta WHERE testname = 'suite_0'")).toEqual([
      "author of suite_0",
    ]);
    expect(readColumn(completedDb, "SELECT description FROM test_meta WHERE testname = 'there'")).toEqual([
      "only there",
    ]);
    expect(readColumn(area.cacheDb, "SELECT fieldname FROM keys ORDER BY id")).toEqual(area.keys);
  });

  it("are added by a later job and never overwritten, also where their ids are taken", async () => {
    const area = newArea(fourRuns);
    await runReduce(area);
    edit(area, ["cache"], (db) =>
      db.exec(`UPDATE test_meta SET description = 'another' WHERE testname = 'suite_0';
        UPDATE test_meta SET id = 50 WHERE id = 1; INSERT INTO test_meta (id, testname) VALUES (1, 'new');
        UPDATE metadat SET val = '2.0'`),
    );
    await reduceSafely(area);
    expect(completedColumn(area, "SELECT description FROM test_meta WHERE testname = 'suite_0'")).toEqual([
      "what suite_0 proves",
    ]);
    expect(completedColumn(area, "SELECT id > 1 FROM test_meta WHERE testname = 'new'")).toEqual([1]);
    expect(completedColumn(area, "SELECT val FROM metadat")).toEqual(["1.6584"]);
  });
});
