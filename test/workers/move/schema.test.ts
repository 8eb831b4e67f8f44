import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import {
  addColumn,
  completedColumn,
  edit,
  everywhere,
  filesOf,
  newArea,
  readColumn,
} from "../../support/area.ts";
import { reduceSafely, runReduce } from "../../support/queue.ts";

const fourRuns = { runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4 };
const onlyRun = (id: number) => ({ runname: undefined, runId: [id] });

/** What a schema is made of, one line each; what is ours left out. */
function schemaOf(file: string): (string | number | Buffer | null | undefined)[] {
  return readColumn(
    file,
    `SELECT type || ' ' || name || ' ' || sql FROM sqlite_schema
     WHERE sql IS NOT NULL AND name NOT LIKE 'mtjobs%' AND tbl_name NOT LIKE 'mtjobs%' ORDER BY 1`,
  );
}

const columnsOf = (file: string, table: string) =>
  readColumn(file, "SELECT name FROM pragma_table_info(?) ORDER BY cid", table);

describe("completed-runs.db", () => {
  it("has every table, index and trigger of megatest.db, word for word", async () => {
    const area = newArea(fourRuns);
    await runReduce(area);
    const schema = schemaOf(area.megatestDb);
    expect(schema.filter((line) => String(line).startsWith("trigger"))).toHaveLength(5);
    expect(schemaOf(filesOf(area).completedDb)).toEqual(schema);
  });

  it("sets last_update as Megatest's databases do when a person changes a row in it", async () => {
    const area = newArea(fourRuns);
    await runReduce(area);
    const db = new Database(filesOf(area).completedDb);
    db.exec("UPDATE runs SET comment = 'seen' WHERE id = 1");
    const age = db.prepare("SELECT strftime('%s', 'now') - last_update FROM runs WHERE id = 1").pluck().get();
    db.close();
    expect(age).toBeLessThan(10);
  });

  it("gets a column whose declared type would be more than a type if it were taken as it is", async () => {
    const area = newArea(fourRuns);
    await runReduce(area, onlyRun(1));
    edit(area, everywhere, (db) =>
      db.exec(`ALTER TABLE runs ADD COLUMN site "INT; DROP TABLE runs; --"; UPDATE runs SET site = 7`),
    );
    const { result } = await reduceSafely(area);
    expect(result.moved.runs).toBe(3);
    expect(completedColumn(area, "SELECT site FROM runs ORDER BY id")).toEqual([null, 7, 7, 7]);
  });

  it("has unexpected columns and tables, with their content", async () => {
    const area = newArea({
      ...fourRuns,
      extraColumns: {
        runs: "site TEXT DEFAULT 'here'",
        tests: `"odd ""name""" BLOB`,
        test_steps: "cost REAL NOT NULL DEFAULT 1.5",
      },
    });
    edit(area, everywhere, (db) => {
      db.exec(`UPDATE runs SET site = 'there' WHERE id = 2; UPDATE tests SET "odd ""name""" = x'0001' WHERE run_id = 2;
        CREATE TABLE tomorrow (id INTEGER PRIMARY KEY, what TEXT); CREATE VIEW seen AS SELECT * FROM tomorrow;`);
    });
    await reduceSafely(area);
    expect(completedColumn(area, "SELECT site FROM runs ORDER BY id")).toEqual([
      "here",
      "there",
      "here",
      "here",
    ]);
    expect(completedColumn(area, `SELECT DISTINCT hex("odd ""name""") FROM tests WHERE run_id = 2`)).toEqual([
      "0001",
    ]);
    expect(columnsOf(filesOf(area).completedDb, "tomorrow")).toEqual(["id", "what"]);
    expect(schemaOf(filesOf(area).completedDb)).toEqual(schemaOf(area.megatestDb));
  });

  it("takes a column that the sync does not carry from the cache, whatever megatest.db has in it", async () => {
    const area = newArea({ ...fourRuns, extraColumns: { tests: "site TEXT" } });
    edit(area, ["cache"], (db) => db.exec("UPDATE tests SET site = 'cache' WHERE run_id = 2"));
    edit(area, ["area"], (db) =>
      db.exec("UPDATE tests SET site = 'area', comment = 'newer' WHERE run_id = 2"),
    );
    await reduceSafely(area);
    expect(
      completedColumn(area, "SELECT DISTINCT site || ' ' || comment FROM tests WHERE run_id = 2"),
    ).toEqual(["cache newer"]);
  });

  it("has the columns that the cache alone has, and those that megatest.db alone has, with what they hold", async () => {
    const area = newArea(fourRuns);
    edit(area, ["cache"], (db) =>
      db.exec("ALTER TABLE tests ADD COLUMN here TEXT; UPDATE tests SET here = 'h'"),
    );
    edit(area, ["area"], (db) =>
      db.exec("ALTER TABLE tests ADD COLUMN there TEXT; UPDATE tests SET there = 't'"),
    );
    await reduceSafely(area);
    expect(
      completedColumn(area, "SELECT DISTINCT here || there FROM tests WHERE testname NOT LIKE 'mtjobs%'"),
    ).toEqual(["ht"]);
  });

  it("takes columns whose names differ in case for one, as SQLite does", async () => {
    const area = newArea(fourRuns);
    edit(area, ["cache"], (db) =>
      db.exec(
        "ALTER TABLE tests RENAME COLUMN host TO Host; UPDATE tests SET Host = 'newer' WHERE run_id = 2",
      ),
    );
    await runReduce(area);
    expect(columnsOf(filesOf(area).completedDb, "tests")).toEqual(columnsOf(area.megatestDb, "tests"));
    expect(completedColumn(area, "SELECT DISTINCT host FROM tests WHERE run_id = 2")).toEqual(["newer"]);
  });

  it("is widened when Megatest's databases gain columns, indexes and tables later", async () => {
    const area = newArea(fourRuns);
    await reduceSafely(area, onlyRun(1));
    addColumn(area, "tests", "jobid INTEGER DEFAULT 7");
    addColumn(area, "runs", "seen TIMESTAMP");
    edit(area, everywhere, (db) => {
      db.exec(`UPDATE tests SET jobid = 12 WHERE run_id = 2; UPDATE runs SET seen = 5 WHERE id = 2;
        CREATE INDEX jobs_index ON tests (jobid); CREATE TABLE tomorrow (id INTEGER PRIMARY KEY);`);
    });
    await reduceSafely(area, onlyRun(2));
    expect(completedColumn(area, "SELECT DISTINCT jobid FROM tests WHERE run_id = 2")).toEqual([12]);
    expect(completedColumn(area, "SELECT DISTINCT jobid FROM tests WHERE run_id = 1")).toEqual([7]);
    expect(completedColumn(area, "SELECT seen FROM runs ORDER BY id")).toEqual([null, 5]);
    expect(
      completedColumn(area, "SELECT name FROM sqlite_schema WHERE name IN ('jobs_index', 'tomorrow')"),
    ).toHaveLength(2);
  });

  it("is made from an early database, and widened once Megatest has added contour and last_update", async () => {
    const area = newArea({ ...fourRuns, old: true });
    await reduceSafely(area, onlyRun(1));
    expect(columnsOf(filesOf(area).completedDb, "runs")).not.toContain("contour");
    for (const table of ["runs", "tests", "test_steps", "test_data", "run_stats"]) {
      addColumn(area, table, "last_update INTEGER DEFAULT 0");
    }
    addColumn(area, "runs", "contour TEXT DEFAULT ''");
    edit(area, everywhere, (db) =>
      db.exec("UPDATE runs SET contour = 'nightly', last_update = 99 WHERE id = 2"),
    );
    const { result } = await reduceSafely(area, onlyRun(2));
    expect(result.moved.runs).toBe(1);
    expect(completedColumn(area, "SELECT contour || ' ' || last_update FROM runs ORDER BY id")).toEqual([
      " 0",
      "nightly 99",
    ]);
  });

  it("keeps working for an area that lacks tables which Megatest added later", async () => {
    const area = newArea({ ...fourRuns, old: true });
    edit(area, everywhere, (db) =>
      db.exec(
        "DROP TABLE archives; DROP TABLE archive_blocks; DROP TABLE archive_disks; DROP TABLE test_rundat; DROP TABLE test_meta",
      ),
    );
    const { result } = await reduceSafely(area);
    expect(result.moved).toMatchObject({ runs: 4, archives: 0, test_rundat: 0 });
  });

  it("uses a rollback journal although the cache uses a write-ahead log, and is taken out of WAL mode where it was in it", async () => {
    const area = newArea({ ...fourRuns, cacheWal: true });
    await reduceSafely(area, onlyRun(1));
    const { completedDb } = filesOf(area);
    expect(readColumn(completedDb, "PRAGMA journal_mode")).toEqual(["delete"]);
    expect(readColumn(completedDb, "PRAGMA journal_mode = WAL")).toEqual(["wal"]);
    await reduceSafely(area, onlyRun(2));
    expect(readColumn(completedDb, "PRAGMA journal_mode")).toEqual(["delete"]);
    expect(readColumn(area.cacheDb, "PRAGMA journal_mode")).toEqual(["wal"]);
    expect(readColumn(area.megatestDb, "PRAGMA journal_mode")).toEqual(["delete"]);
  });

  it("is not filled where megatest.config names keys that the database lacks: the job is refused, and megatest.db left as it was", async () => {
    const area = newArea(fourRuns);
    edit(area, everywhere, (db) => db.exec("DROP INDEX runs_index"));
    edit(area, everywhere, (db) => db.exec("ALTER TABLE runs RENAME COLUMN datapath TO elsewhere"));
    await expect(runReduce(area)).rejects.toMatchObject({ code: "unknown-schema" });
    expect(readColumn(area.megatestDb, "SELECT name FROM sqlite_schema WHERE name LIKE 'mtjobs%'")).toEqual(
      [],
    );
  });

  it("takes owner and mode from megatest.db", async () => {
    const { chmodSync, statSync } = await import("node:fs");
    const area = newArea(fourRuns);
    chmodSync(area.megatestDb, 0o660);
    await runReduce(area);
    const [ours, theirs] = [statSync(filesOf(area).completedDb), statSync(area.megatestDb)];
    expect([ours.mode, ours.uid, ours.gid]).toEqual([theirs.mode, theirs.uid, theirs.gid]);
  });
});
