import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { attachSql } from "../../../producers/full-db/attach-sql.ts";
import { FullDb } from "../../../producers/full-db/full-db.ts";
import { edit, readRows } from "../../support/area.ts";
import { divideArea, fullRows, openToWrite } from "../../support/queue.ts";

const views = `
  CREATE VIEW site_passed AS SELECT r.id AS run, r.runname, count(*) AS n FROM runs r JOIN tests t ON t.run_id = r.id GROUP BY r.id;
  CREATE VIEW IF NOT EXISTS main."site of ""site""" (name, total) AS
    SELECT runname, sum(n) FROM site_passed GROUP BY 1 -- the end`;
const viewsByShell = `CREATE VIEW site_done AS SELECT id, rowid AS again, state = "end" AS done FROM runs WHERE runs.state <> "nowhere"`;
const queries = [
  "SELECT * FROM site_passed ORDER BY run",
  `SELECT * FROM "site of ""site""" ORDER BY name`,
  "SELECT count(*) AS n FROM site_passed p JOIN runs r ON r.id = p.run WHERE r.runname LIKE 'mtjobs%'",
];

describe("a view of the site's own in full-db mode", () => {
  it("reads the rows of both sides, once, without guards", async () => {
    const { files, undivided } = await divideArea([1, 2, 3], { change: (db) => db.exec(views) });
    for (const sql of queries) expect([sql, fullRows(files, sql)]).toEqual([sql, readRows(undivided, sql)]);
    expect(fullRows(files, "SELECT count(*) AS n FROM site_passed")).toEqual([{ n: 12 }]);
    expect(fullRows(files, "SELECT count(*) AS n FROM main.site_passed")).toEqual([{ n: 10 }]);
  });

  it("is read as Megatest's own SQLite does", async () => {
    const { files } = await divideArea([1, 2, 3]);
    // The shell takes a word in double quotes for text.
    openToWrite(files.main, (db) => {
      db.unsafeMode(true);
      db.pragma("writable_schema = ON");
      db.prepare(
        "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('view', 'site_done', 'site_done', 0, ?)",
      ).run(viewsByShell);
    });
    const sql = "SELECT count(*) AS n, sum(again = id) AS same, total(done) AS done FROM site_done";
    expect(fullRows(files, sql)).toEqual([{ n: 12, same: 12, done: 0 }]);
  });

  it("is found by a connection that was open before it was made", async () => {
    const { area, files, undivided } = await divideArea([1, 2, 3]);
    const db = new FullDb(files);
    expect(db.prepare("SELECT count(*) AS n FROM runs").all()).toEqual([{ n: 12 }]);
    edit(area, ["cache"], (each) => each.exec(views));
    openToWrite(undivided, (each) => each.exec(views));
    const sql = queries[0] as string;
    expect(db.prepare(sql).all()).toEqual(readRows(undivided, sql));
    db.close();
  });

  it("stays as it is if SQLite does not understand it, and the others are read", async () => {
    const { files } = await divideArea([1, 2, 3], {
      change: (db) =>
        db.exec(`CREATE VIEW site_words AS SELECT site_word(state) AS word FROM runs; CREATE VIEW site_lost AS SELECT * FROM nowhere;
          CREATE VIEW site_ids AS SELECT main.id FROM runs AS main`),
    });
    expect(() => fullRows(files, "SELECT * FROM site_words")).toThrow("no such function: site_word");
    expect(() => fullRows(files, "SELECT * FROM site_lost")).toThrow("no such table");
    expect(fullRows(files, 'SELECT "text" AS word FROM site_ids LIMIT 1')).toEqual([{ word: "text" }]);
    expect(fullRows(files, "SELECT count(*) AS n FROM site_ids")).toEqual([{ n: 12 }]);
  });

  it.skipIf(spawnSync("sqlite3", ["-version"]).status !== 0)("is in the SQL of attach-sql", async () => {
    const { files, undivided } = await divideArea([1, 2, 3], { change: (db) => db.exec(views) });
    const shell = (file: string, sql: string) =>
      execFileSync("sqlite3", ["-bail", "-list", file], { input: sql, encoding: "utf8" });
    const asked = `${queries.join(";\n")};`;
    expect(shell(files.megatestDb, attachSql(files) + asked)).toBe(shell(undivided, asked));
  });
});
