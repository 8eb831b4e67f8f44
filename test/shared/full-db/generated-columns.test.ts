import { describe, expect, it } from "vitest";
import { FullDb } from "../../../producers/full-db/full-db.ts";
import { edit, readRows } from "../../support/area.ts";
import { type DividedArea, divideArea, fullRows, openToWrite, runReduce } from "../../support/queue.ts";

const joined = "FROM runs r JOIN tests t ON t.run_id = r.id";

const queries = [
  "SELECT * FROM tests ORDER BY id",
  "SELECT label, typeof(label) AS t, count(*) AS n FROM tests GROUP BY label ORDER BY label",
  "SELECT id FROM tests WHERE label = 'completed!' AND twice > '6' ORDER BY twice DESC LIMIT 20",
  `SELECT r.*, t.* ${joined} ORDER BY t.id LIMIT 50`,
  `SELECT r.id, t.label, max(t.twice) AS most ${joined} GROUP BY t.label ORDER BY t.label`,
  "SELECT r.id, count(t.label) AS n FROM runs r LEFT JOIN tests t ON t.run_id = r.id AND t.twice % 4 GROUP BY r.id ORDER BY r.id",
  `SELECT "label", count(*) AS n FROM tests WHERE "state" <> 'x' GROUP BY 1 ORDER BY 1`,
];

function expectAlike({ files, undivided }: DividedArea): void {
  for (const sql of queries) {
    const rows = readRows(undivided, sql);
    expect(rows).not.toEqual([]);
    for (const rewrite of [true, false])
      expect([sql, rewrite, fullRows(files, sql, { rewrite })]).toEqual([sql, rewrite, rows]);
  }
}

const columns = `ALTER TABLE tests ADD COLUMN mark TEXT DEFAULT '';
  ALTER TABLE tests ADD COLUMN label TEXT COLLATE NOCASE AS (state || mark || '!') VIRTUAL;
  ALTER TABLE tests ADD COLUMN twice INTEGER GENERATED ALWAYS AS (2 * id + (length(label) > 99)) VIRTUAL;
  ALTER TABLE tests ADD COLUMN length AS (length(state)) VIRTUAL`;

describe("a generated column in full-db mode", () => {
  it("is read on both sides and by *", async () => {
    const divided = await divideArea([1, 2, 3], {
      extraColumns: {
        tests:
          "mark TEXT DEFAULT '', label TEXT COLLATE NOCASE AS (state || mark || '!') STORED, twice INT AS (2 * id)",
      },
    });
    expectAlike(divided);
    const db = new FullDb(divided.files);
    const quoted = `SELECT "label", "nothing" AS n FROM tests WHERE id = 1`;
    expect(db.prepare(quoted).all()).toEqual([{ label: "COMPLETED!", n: "nothing" }]);
    db.close();
  });

  it("is generated for the side that lacks it, before and after the next reduce", async () => {
    const divided = await divideArea([1]);
    edit(divided.area, ["area", "cache", "ref"], (db) => db.exec(columns));
    openToWrite(divided.undivided, (db) => db.exec(columns));
    expectAlike(divided);
    await runReduce(divided.area, { runId: [2] });
    expectAlike(divided);
  });

  it("is left out if SQLite lacks its function, and the others are read", async () => {
    const { area, files } = await divideArea([1]);
    edit(area, ["area", "cache"], (db) => {
      db.function("site_word", { deterministic: true }, (id) => `word ${id}`);
      db.exec("ALTER TABLE tests ADD COLUMN word TEXT AS (site_word(id)) VIRTUAL");
    });
    const [row = {}] = fullRows(files, "SELECT * FROM tests ORDER BY id LIMIT 1");
    expect(Object.keys(row)).not.toContain("word");
    expect(row.id).toBe(1);
  });
});
