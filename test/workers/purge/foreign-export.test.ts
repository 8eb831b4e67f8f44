import { chmodSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { movedRows, noRows, rejectionOf, temporaryDirectory } from "../../support/area.ts";
import { alteredExport, purgedArea, runImport } from "../../support/queue.ts";

async function expectRefused(area: SampleArea, file: string, code: string): Promise<void> {
  expect(await rejectionOf(runImport(area, file))).toMatchObject({ code });
  expect(movedRows(area)).toEqual(noRows);
}

const sql = (text: string) => (db: Database.Database) => db.exec(text);

/** A view of a table's name, with the same columns. */
const view = (table: string, select = `SELECT * FROM r`) =>
  sql(`ALTER TABLE ${table} RENAME TO r; CREATE VIEW ${table} AS ${select}`);

const version = (row: string, columns = '["id","test_id"]') =>
  sql(`INSERT INTO mtjobs_superseded (table_name, row_id, source, reason, job_id, at, columns, row, carried)
       VALUES ('test_steps', 1, 'area', 'older', 'job', 1, '${columns}', '${row}', '')`);

describe("an import refuses", () => {
  it.each<[what: string, change: (db: Database.Database) => unknown]>([
    ["no word about itself", sql("DROP TABLE mtjobs_export")],
    ["a later version", sql("UPDATE mtjobs_export SET version = 2")],
    ["WAL mode", (db) => db.pragma("journal_mode = WAL")],
    ["no table keys", sql("DROP TABLE keys")],
    ["another run", sql("INSERT INTO runs (id, runname) VALUES (77, 'more')")],
    ["a test of another run", sql("UPDATE tests SET run_id = 99 WHERE id = (SELECT min(id) FROM tests)")],
    [
      "a step of no test of the run",
      sql("DELETE FROM test_steps; INSERT INTO test_steps (test_id, stepname) VALUES (4711, 'loose')"),
    ],
    ["a run_stats row of another run", sql("INSERT INTO run_stats (run_id, state) VALUES (4711, 'x')")],
    [
      "what another run's test was archived in",
      sql("INSERT INTO mtjobs_archived (test_id, original) VALUES (4711, 1)"),
    ],
    ["a version of another run's row", version("1,4711")],
    ["a version without names of its columns", version("1,1", "no JSON")],
    ["a view for runs", view("runs")],
    ["a view for run_stats", view("run_stats")],
    ["a view for test_rundat", view("test_rundat")],
    ["a view for mtjobs_archived", view("mtjobs_archived")],
  ])("an export with %s", async (_, change) => {
    const { area, file } = await purgedArea(1);
    await expectRefused(area, alteredExport(file, change), "bad-payload");
  });

  it("a file that is missing, no database, cut, in use, or open to all", async () => {
    const { area, file } = await purgedArea(1);
    const copy = () => alteredExport(file, () => {});
    await expectRefused(area, join(temporaryDirectory(), "missing.db"), "bad-payload");
    const text = join(temporaryDirectory(), "text.db");
    writeFileSync(text, "no database at all, but long enough to be read as one header of SQLite".repeat(9));
    await expectRefused(area, text, "bad-payload");
    const cut = copy();
    truncateSync(cut, 8 * Math.floor(statSync(cut).size / 16));
    await expectRefused(area, cut, "corrupt");
    const busy = copy();
    writeFileSync(`${busy}-journal`, "left");
    await expectRefused(area, busy, "bad-payload");
    const open = copy();
    chmodSync(open, 0o666);
    await expectRefused(area, open, "not-owner");
  });
});
