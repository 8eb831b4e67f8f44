import { describe, expect, it } from "vitest";
import { edit, readRows } from "../../support/area.ts";
import { type DividedArea, divideArea, fullRows, openToWrite, runReduce } from "../../support/queue.ts";

const joined = "FROM runs r JOIN tests t ON t.run_id = r.id";

/** Run 1 has moved; then the site adds a column to the area's databases, and the same to the undivided one. */
async function withLaterColumn(change: string): Promise<DividedArea> {
  const divided = await divideArea([1]);
  edit(divided.area, ["area", "cache", "ref"], (db) => db.exec(change));
  openToWrite(divided.undivided, (db) => db.exec(change));
  return divided;
}

function expectAlike({ files, undivided }: DividedArea, queries: readonly string[]): void {
  for (const sql of queries) {
    const rows = readRows(undivided, sql);
    expect(rows).not.toEqual([]);
    for (const rewrite of [true, false])
      expect([sql, rewrite, fullRows(files, sql, { rewrite })]).toEqual([sql, rewrite, rows]);
  }
}

describe("a column that a site adds after the first reduce", () => {
  it("compares values by its collation on both sides, before and after it reaches completed-runs.db", async () => {
    const queries = [
      "SELECT count(*) AS n FROM tests WHERE colour = 'RED'",
      "SELECT lower(colour) AS c, count(*) AS n FROM tests GROUP BY colour ORDER BY colour",
      "SELECT count(DISTINCT colour) AS n FROM tests",
      "SELECT count(*) AS n FROM tests WHERE colour IN ('rED', 'GREEN')",
      "SELECT id FROM tests WHERE 'RED' IN (SELECT colour) ORDER BY colour, id LIMIT 9",
      `SELECT r.id, count(*) AS n ${joined} WHERE t.colour = 'RED' GROUP BY r.id ORDER BY r.id`,
      `SELECT lower(t.colour) AS c, count(*) AS n ${joined} GROUP BY t.colour ORDER BY t.colour`,
      `SELECT t.id ${joined} ORDER BY t.colour DESC, t.id LIMIT 30`,
      "SELECT r.id, count(t.id) AS n FROM runs r LEFT JOIN tests t ON t.run_id = r.id AND t.colour = 'RED' GROUP BY r.id ORDER BY r.id",
      "SELECT count(*) AS n FROM (SELECT colour FROM tests EXCEPT SELECT 'RED')",
    ];
    const divided = await withLaterColumn(
      `ALTER TABLE tests ADD COLUMN "colour" TEXT CHECK (colour <> '' COLLATE BINARY) collate 'nocase' DEFAULT 'Red';
       UPDATE tests SET colour = CASE id % 3 WHEN 0 THEN 'red' WHEN 1 THEN 'Green' ELSE 'RED' END WHERE run_id = 2`,
    );
    expectAlike(divided, queries);
    await runReduce(divided.area, { runId: [2] });
    expectAlike(divided, queries);
    // Other programs find the same in completed-runs.db.
    const found = "SELECT count(*) AS n FROM tests WHERE run_id < 3 AND colour = 'RED'";
    expect(readRows(divided.files.completedDb, found)).toEqual(readRows(divided.undivided, found));
    // As an earlier version of mtjobs added it.
    openToWrite(divided.files.completedDb, (db) => {
      db.unsafeMode(true);
      db.pragma("writable_schema = ON");
      db.exec("UPDATE sqlite_schema SET sql = replace(sql, 'COLLATE NOCASE', '') WHERE name = 'tests'");
    });
    expect(readRows(divided.files.completedDb, found)).not.toEqual(readRows(divided.undivided, found));
    expectAlike(divided, queries);
  });

  it.each([
    "INTEGER DEFAULT 'n/a'",
    "INTEGER DEFAULT 1.5",
    "INTEGER DEFAULT '7'",
    "INTEGER NOT NULL DEFAULT -3",
    "REAL DEFAULT 2",
    "REAL DEFAULT '2e'",
    "TEXT DEFAULT 5.0",
    "VARCHAR(10) DEFAULT x'6162'",
    "NUMERIC DEFAULT '9007199254740993'",
    '"odd type" DEFAULT word',
    `TEXT DEFAULT "it's"`,
    "DEFAULT '1'",
    "BOOLEAN DEFAULT true",
    "INTEGER",
    "",
  ])("reads as SQLite stores its default: %s", async (type) => {
    const divided = await withLaterColumn(
      `ALTER TABLE tests ADD COLUMN site ${type}; UPDATE tests SET site = 1 WHERE run_id = 2`,
    );
    const queries = [
      "SELECT DISTINCT site, typeof(site) AS t FROM tests WHERE run_id = 1",
      "SELECT typeof(site) AS t, site, count(*) AS n FROM tests GROUP BY site ORDER BY site",
      `SELECT typeof(t.site) AS t, t.site, count(*) AS n ${joined} GROUP BY t.site, r.id ORDER BY r.id, t.site`,
      "SELECT count(*) AS n FROM tests WHERE site = 7 OR site = '7' OR site < '2' OR site > 'm'",
      `SELECT count(*) AS n ${joined} WHERE t.site IN ('1', 5, '5.0', -3) OR t.site = '2'`,
      "SELECT count(*) AS n FROM (SELECT site FROM tests ORDER BY id LIMIT 40) WHERE site IN ('1', '7', 5)",
      "SELECT r.id, count(t.site) AS n, min(t.site) AS low FROM runs r LEFT JOIN tests t ON t.run_id = r.id AND t.id % 2 GROUP BY r.id ORDER BY r.id",
    ];
    expectAlike(divided, queries);
    await runReduce(divided.area, { runId: [2] });
    expectAlike(divided, queries);
  });
});
