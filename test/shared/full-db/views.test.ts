import { existsSync, renameSync } from "node:fs";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { FullDb } from "../../../producers/full-db/full-db.ts";
import { readColumn, readRows } from "../../support/area.ts";
import { divideArea, fullRows, openToWrite, runReduce } from "../../support/queue.ts";

const tables = ["runs", "tests", "test_steps", "test_data"];

describe("a full-db connection", () => {
  it("gives every row of an area that was never reduced, once, with its columns in order", async () => {
    const { files, undivided } = await divideArea([1, 2, 3, 4, 5, 6, 7]);
    for (const table of tables) {
      const sql = `SELECT * FROM ${table} ORDER BY id`;
      expect(fullRows(files, sql)).toEqual(readRows(undivided, sql));
    }
    expect(readRows(files.completedDb, "SELECT count(*) AS n FROM runs")).toEqual([{ n: 7 }]);
  });

  it.each([
    [
      'SELECT id FROM runs WHERE state = "new" ORDER BY rowid DESC',
      "SELECT id FROM runs WHERE state = 'new' ORDER BY id DESC",
    ],
    [
      `SELECT count(*) AS "how many" FROM tests WHERE status IN ("PASS", "it's") AND "state" <> "x"`,
      `SELECT count(*) AS "how many" FROM tests WHERE status IN ('PASS', 'it''s') AND state <> 'x'`,
    ],
    [
      'SELECT t.id FROM runs AS r JOIN tests AS t ON t.run_id = r.rowid WHERE t.state = "COMPLETED" ORDER BY t.oid',
      "SELECT t.id FROM runs AS r JOIN tests AS t ON t.run_id = r.id WHERE t.state = 'COMPLETED' ORDER BY t.id",
    ],
  ])("reads %s as Megatest's own SQLite does", async (sql, meant) => {
    const { files, undivided } = await divideArea([1, 2, 3]);
    const rows = readRows(undivided, meant);
    expect(rows.length).toBeGreaterThan(0);
    expect(fullRows(files, sql)).toEqual(rows);
  });

  it.each([
    "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2",
    "SELECT sqlite_master.name AS table_name FROM sqlite_master WHERE type = 'table' ORDER BY 1",
    `SELECT m.name, s.type FROM main.sqlite_schema AS m JOIN "sqlite_master" AS s ON s.name = m.name ORDER BY 1`,
    "SELECT main.sqlite_master.tbl_name FROM main.sqlite_master ORDER BY 1",
    "SELECT name, ncol FROM pragma_table_list WHERE schema = 'main' ORDER BY 1",
    "SELECT name FROM pragma_table_list() WHERE schema = 'main' ORDER BY 1",
    "SELECT name FROM sqlite_temp_schema UNION ALL SELECT name FROM temp.sqlite_schema",
  ])("shows by %s the tables of an area that was never reduced, and none of mtjobs", async (sql) => {
    const { files, undivided } = await divideArea([1, 2]);
    expect(readColumn(files.main, "SELECT name FROM sqlite_schema")).toContain("mtjobs_fence");
    expect(fullRows(files, sql)).toEqual(readRows(undivided, sql));
  });

  it("shows none of our tables in completed-runs.db, nor before that file exists", async () => {
    const { files, undivided } = await divideArea([1]);
    const names = (side: string) => `SELECT name FROM ${side}.sqlite_schema WHERE type = 'table' ORDER BY 1`;
    expect(fullRows(files, names("completed"))).toEqual(readRows(undivided, names("main")));
    const fresh = await divideArea([]);
    expect(fullRows(fresh.files, names("main"))).toEqual(readRows(fresh.undivided, names("main")));
  });

  it("has the types and affinities of megatest.db's columns", async () => {
    const { files, undivided } = await divideArea([1, 2, 3]);
    const db = new FullDb(files);
    const whole = new Database(undivided, { readonly: true });
    for (const table of tables) {
      const described = (connection: Database.Database) =>
        connection
          .prepare(`SELECT * FROM ${table}`)
          .columns()
          .map(({ name, type }) => [name, type]);
      expect(described(db.connection)).toEqual(described(whole));
      // A text that looks like a number finds a number only by the column's affinity.
      for (const [column] of described(whole)) {
        const sql = `SELECT count(*) AS n FROM ${table} WHERE "${column}" = '1' OR "${column}" IN (SELECT '2')`;
        expect([column, db.prepare(sql).all()]).toEqual([column, whole.prepare(sql).all()]);
      }
    }
    db.close();
    whole.close();
  });

  it("reads the columns that an older completed-runs.db or a newer megatest.db lacks as their default", async () => {
    const { files, undivided } = await divideArea([1, 2, 3], {
      extraColumns: { tests: "priority INTEGER DEFAULT 7, site TEXT" },
      change: (db) => db.exec("UPDATE tests SET priority = 1, site = 'x' WHERE run_id > 3"),
    });
    openToWrite(files.completedDb, (db) =>
      db.exec("ALTER TABLE tests DROP COLUMN priority; ALTER TABLE runs DROP COLUMN contour"),
    );
    for (const sql of [
      "SELECT * FROM tests ORDER BY id",
      "SELECT id FROM tests WHERE priority = '7' ORDER BY id",
      "SELECT * FROM runs r JOIN tests t ON t.run_id = r.id ORDER BY t.id",
    ]) {
      expect(fullRows(files, sql)).toEqual(readRows(undivided, sql));
    }
  });

  it("answers from megatest.db alone if nothing was ever moved, and creates no completed-runs.db", async () => {
    const { files, undivided } = await divideArea([]);
    const sql = "SELECT r.runname, t.* FROM runs r LEFT JOIN tests t ON t.run_id = r.id ORDER BY t.id";
    expect(fullRows(files, sql)).toEqual(readRows(undivided, sql));
    expect(existsSync(files.completedDb)).toBe(false);
  });

  it("sees what the first reduce moves, also with a query prepared before it", async () => {
    const { area, files } = await divideArea([]);
    const db = new FullDb(files);
    const query = db.prepare("SELECT count(*) AS n FROM runs");
    expect(query.get()).toEqual({ n: 12 });
    await runReduce(area, { runId: [1, 2, 3] });
    expect(query.get()).toEqual({ n: 12 });
    db.close();
  });

  it("goes on with a query in hand when completed-runs.db appears", async () => {
    const { files } = await divideArea([1, 2, 3]);
    renameSync(files.completedDb, `${files.completedDb}.away`);
    const db = new FullDb(files);
    const rows = db.prepare("SELECT id FROM runs").iterate();
    rows.next();
    renameSync(`${files.completedDb}.away`, files.completedDb);
    expect(db.prepare("SELECT count(*) AS n FROM runs").get()).toEqual({ n: 12 });
    expect([...rows].length).toBe(8);
    db.close();
  });

  it("shows neither the rows that guard ids nor the tables of mtjobs", async () => {
    const { files, undivided } = await divideArea([1, 2, 3]);
    expect(readRows(files.main, "SELECT count(*) AS n FROM runs WHERE runname = 'mtjobs-id-guard'")).toEqual([
      { n: 1 },
    ]);
    for (const table of tables) {
      const sql = `SELECT count(*) AS n, max(id) AS last FROM ${table}`;
      expect(fullRows(files, sql)).toEqual(readRows(undivided, sql));
    }
    for (const own of [
      "mtjobs_runs",
      '"mtjobs_fence"',
      "[MTJOBS_runs]",
      "'mtjobs_runs'",
      "main.mtjobs_fence",
    ]) {
      expect(() => fullRows(files, `SELECT * FROM ${own}`)).toThrow("no such table");
    }
  });

  it("shows a run where its state says it counts, whatever of it is on the other side", async () => {
    const { files, undivided } = await divideArea([1, 2, 3, 4, 5]);
    const states = ["copying", "removing", "moved", "restoring", "restored"];
    openToWrite(files.completedDb, (db) =>
      states.forEach((state, index) => {
        db.prepare("UPDATE mtjobs_runs SET state = ? WHERE run_id = ?").run(state, index + 1);
      }),
    );
    // All runs are on both sides; main has a word of its own in each test.
    openToWrite(files.main, (db) => {
      db.exec(`ATTACH '${undivided}' AS was`);
      for (const table of tables) db.exec(`INSERT OR IGNORE INTO ${table} SELECT * FROM was.${table}`);
      db.exec(
        "UPDATE tests SET comment = 'main'; UPDATE test_steps SET comment = 'main'; UPDATE runs SET comment = 'main'",
      );
    });
    const inMain = [1, 5, 6, 7, 8, 9, 10, 11, 12];
    const sql = {
      runs: "SELECT id FROM runs WHERE comment = 'main' ORDER BY id",
      tests: "SELECT DISTINCT run_id AS id FROM tests WHERE comment = 'main' ORDER BY 1",
      steps:
        "SELECT DISTINCT t.run_id AS id FROM tests t JOIN test_steps s ON s.test_id = t.id WHERE s.comment = 'main' ORDER BY 1",
    };
    for (const query of Object.values(sql)) {
      for (const rewrite of [true, false]) {
        expect(fullRows(files, query, { rewrite }).map(({ id }) => id)).toEqual(inMain);
      }
    }
    for (const table of tables) {
      const count = `SELECT count(*) AS n, count(DISTINCT id) AS ids FROM ${table}`;
      expect(fullRows(files, count)).toEqual(readRows(undivided, count));
    }
  });

  it("hides late reports of a moved run until they are brought to it", async () => {
    const { files, undivided } = await divideArea([1, 2, 3]);
    const [{ id = 0 } = {}] = readRows(files.completedDb, "SELECT min(id) AS id FROM tests WHERE run_id = 2");
    openToWrite(files.main, (db) => {
      db.exec(`INSERT INTO tests (id, run_id, testname, item_path) VALUES (900001, 2, 'late', '');
        INSERT INTO test_steps (id, test_id, stepname, state) VALUES (900001, 900001, 'late', 'end'), (900002, ${id}, 'late', 'end');
        INSERT INTO test_data (id, test_id, variable) VALUES (900001, ${id}, 'late')`);
    });
    for (const table of tables) {
      const sql = `SELECT * FROM ${table} ORDER BY id`;
      expect(fullRows(files, sql)).toEqual(readRows(undivided, sql));
    }
  });

  it("shows tests and steps that no run or test claims as an undivided area does", async () => {
    const orphans = (db: Database.Database) =>
      db.exec(`INSERT INTO tests (id, run_id, testname) VALUES (800001, NULL, 'orphan'), (800002, 777777, 'orphan');
        INSERT INTO test_steps (id, test_id, stepname, state) VALUES (800001, NULL, 'orphan', 'end'), (800002, 777777, 'orphan', 'end');
        INSERT INTO test_data (id, test_id, variable) VALUES (800001, NULL, 'orphan')`);
    const { files, undivided } = await divideArea([1, 2, 3], { change: orphans });
    for (const sql of [
      "SELECT count(*) AS n FROM tests",
      "SELECT s.id, t.id AS test FROM test_steps s LEFT JOIN tests t ON t.id = s.test_id ORDER BY s.id",
      "SELECT t.id, r.id AS run FROM tests t LEFT JOIN runs r ON r.id = t.run_id ORDER BY t.id",
      "SELECT id FROM test_data WHERE test_id IS NULL",
    ]) {
      expect(fullRows(files, sql)).toEqual(readRows(undivided, sql));
    }
  });

  it("gives the archive's block by the id that megatest.db knows", async () => {
    const { files, undivided } = await divideArea([1, 2, 3]);
    const sql = "SELECT id, archived FROM tests WHERE archived > 0 OR run_id IN (1, 2, 3) ORDER BY id";
    openToWrite(files.completedDb, (db) =>
      db.exec(
        `INSERT OR REPLACE INTO mtjobs_archived SELECT id, archived FROM tests; UPDATE tests SET archived = 4711`,
      ),
    );
    for (const rewrite of [true, false]) {
      expect(fullRows(files, sql, { rewrite })).toEqual(readRows(undivided, sql));
      const text = "SELECT count(*) AS n FROM tests t JOIN runs r ON r.id = t.run_id WHERE t.archived = '2'";
      expect(fullRows(files, text, { rewrite })).toEqual(readRows(undivided, text));
    }
  });

  it("counts a run that somebody else put into completed-runs.db only where main has none of its id", async () => {
    const { files, undivided } = await divideArea([1, 2, 3]);
    openToWrite(files.completedDb, (db) => {
      db.exec(`ATTACH '${undivided}' AS was;
        INSERT INTO runs SELECT * FROM was.runs WHERE id IN (8, 9);
        INSERT INTO tests SELECT * FROM was.tests WHERE run_id IN (8, 9)`);
    });
    openToWrite(files.main, (db) =>
      db.exec("DELETE FROM runs WHERE id = 9; DELETE FROM tests WHERE run_id = 9"),
    );
    for (const sql of [
      "SELECT * FROM runs ORDER BY id",
      "SELECT r.runname, t.* FROM runs r JOIN tests t ON t.run_id = r.id ORDER BY t.id",
    ]) {
      expect(fullRows(files, sql)).toEqual(readRows(undivided, sql));
    }
  });
});
