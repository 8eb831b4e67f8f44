import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  everywhere,
  fileOf,
  filesOf,
  fingerprint,
  makeRefillDue,
  newArea,
  type Place,
  readColumn,
  rejectionOf,
  settleTimes,
} from "../../support/area.ts";
import { reduceSafely, runReduce, runRepair, runRestore, unionOf } from "../../support/queue.ts";

/**
 * A site writes its schema with the sqlite3 shell, which takes a double-quoted word for text where it names nothing; ours
 * does not. So these go into the databases through the shell.
 */
function bySite(area: SampleArea, sql: string, places: readonly Place[] = everywhere): void {
  for (const place of places) execFileSync("sqlite3", [fileOf(area, place), sql]);
  settleTimes(area);
}

const smallArea = () => newArea({ runs: 4, inFlight: 1, unsynced: false, testsPerRun: 4 });

const inSchema = (file: string, name: string) =>
  readColumn(file, "SELECT sql FROM sqlite_schema WHERE name = ?", name)[0];

/** Out, looked at again, and back, with a refill between; returns the warnings of the reduce. */
async function toAndFro(area: SampleArea): Promise<string[]> {
  const dry = await runReduce(area, { dryRun: true });
  const { before, result } = await reduceSafely(area);
  expect(result.moved.runs).toBe(3);
  expect(dry.result.warnings).toEqual(result.warnings);
  const late = "INSERT INTO tests (run_id, testname, item_path, state) VALUES (2, 'late', '', 'COMPLETED')";
  bySite(area, late, ["cache"]);
  expect((await runReduce(area)).result.late).toBe(1);
  const settled = (word: string) => `UPDATE tests SET comment = '${word}' WHERE run_id = 4`;
  bySite(area, settled("in the cache"), ["cache"]);
  bySite(area, `INSERT INTO tests (run_id, testname, item_path, state) VALUES (4, 'there', '', 'RUNNING')`, [
    "area",
  ]);
  makeRefillDue(area);
  expect((await runRepair(area)).result.state).toBe("completed");
  expect(readColumn(area.megatestDb, "SELECT DISTINCT comment FROM tests WHERE run_id = 4")).toContain(
    "in the cache",
  );
  expect(readColumn(area.cacheDb, "SELECT state FROM tests WHERE testname = 'there'")).toEqual(["RUNNING"]);
  const back = await runRestore(area);
  expect([back.result.moved.runs, back.result.skipped]).toEqual([3, []]);
  assertNothingLost(before, unionOf(area), {
    newRecords: true,
    anyLastUpdate: true,
    mayChange: ({ row }) => row.get("run_id") === "i:4",
  });
  return result.warnings;
}

const log = "CREATE TABLE site_log (what TEXT);";
const triggers = ["INSERT", "UPDATE", "DELETE"].map((event) => {
  const row = event === "DELETE" ? "old" : "new";
  return [
    event,
    ["runs", "tests", "test_steps", "run_stats"]
      .map(
        (
          table,
        ) => `CREATE TRIGGER site_${event}_${table} AFTER ${event} ON ${table} WHEN ${row}.state <> "nothing"
          BEGIN INSERT INTO site_log VALUES ("${event} " || ${row}.id); END;`,
      )
      .join("\n"),
  ] as const;
});

describe("what a site added to its schema with text in double quotes", () => {
  it.each(triggers)(
    "keeps no run from moving, coming back and being settled: triggers on %s",
    async (event, sql) => {
      const area = smallArea();
      bySite(area, log + sql);
      await toAndFro(area);
      for (const file of [area.cacheDb, area.refDb, area.megatestDb, filesOf(area).completedDb])
        expect(inSchema(file, `site_${event}_tests`)).toBe(inSchema(area.cacheDb, `site_${event}_tests`));
      // Only what a client does is logged.
      expect(readColumn(area.cacheDb, "SELECT count(*) FROM site_log WHERE what LIKE 'DELETE%'")).toEqual([
        0,
      ]);
    },
  );

  it("is in completed-runs.db in words that ours takes: partial indexes and those on an expression", async () => {
    const area = smallArea();
    bySite(
      area,
      `CREATE INDEX site_partial ON tests (status) WHERE state = "COMPLETED";
       CREATE INDEX "site expression" ON test_steps (state || "/" || "status")`,
    );
    expect(await toAndFro(area)).toEqual([]);
    expect(
      completedColumn(area, "SELECT sql FROM sqlite_schema WHERE name LIKE 'site%' ORDER BY name"),
    ).toEqual([
      `CREATE INDEX "site expression" ON test_steps (state || '/' || "status")`,
      "CREATE INDEX site_partial ON tests (status) WHERE state = 'COMPLETED'",
    ]);
  });

  it("is in completed-runs.db likewise: a check, a default and a generated column, and a view word for word", async () => {
    const area = smallArea();
    bySite(
      area,
      `ALTER TABLE tests ADD COLUMN colour TEXT DEFAULT "none" CHECK (colour <> "pink");
       ALTER TABLE tests ADD COLUMN label TEXT AS (state || "!") VIRTUAL;
       UPDATE tests SET colour = "red" WHERE run_id = 2;
       CREATE VIEW site_view AS SELECT "text" AS word, state FROM tests;`,
    );
    expect(await toAndFro(area)).toEqual([]);
    expect(inSchema(filesOf(area).completedDb, "site_view")).toBe(inSchema(area.cacheDb, "site_view"));
    expect(
      readColumn(area.cacheDb, "SELECT DISTINCT colour FROM tests WHERE run_id = 2 AND testname <> 'late'"),
    ).toEqual(["red"]);
  });

  it("leaves the file as large as it is, with a warning, where SQLite cannot rebuild an index", async () => {
    const area = smallArea();
    bySite(area, `CREATE INDEX site_partial ON tests (status) WHERE state = "COMPLETED"`);
    const { result } = await reduceSafely(area, { compact: "always" });
    expect([result.state, result.moved.runs]).toEqual(["completed", 3]);
    expect(result.warnings.filter((sentence) => sentence.includes("was not vacuumed"))).toHaveLength(3);
  });
});

describe("what serves queries only", () => {
  it("is left out of completed-runs.db with a warning: full-text tables, and what this SQLite has no functions for", async () => {
    const area = smallArea();
    edit(area, everywhere, (db) => {
      db.function("site_sound", { deterministic: true }, (text) => String(text));
      db.exec(`CREATE VIRTUAL TABLE site_words USING fts5(testname, comment, content='tests', content_rowid='id');
        CREATE VIRTUAL TABLE test USING fts4(a);
        CREATE INDEX site_index ON test_meta (site_sound(testname));
        CREATE TRIGGER site_words_insert AFTER INSERT ON tests
          BEGIN INSERT INTO site_words (rowid, testname, comment) VALUES (new.id, new.testname, new.comment); END`);
    });
    const dry = await runReduce(area, { dryRun: true });
    const { result } = await runReduce(area);
    expect([result.moved.runs, dry.result.warnings]).toEqual([3, result.warnings]);
    expect(result.moved.test_steps).toBeGreaterThan(0);
    expect(result.warnings).toEqual([
      "completed-runs.db will not have the virtual table site_words, which serves queries only",
      "completed-runs.db will not have the virtual table test, which serves queries only",
      expect.stringMatching(/^completed-runs\.db has no "site_index": no such function/),
    ]);
    expect((await runRestore(area)).result.moved.runs).toBe(3);
    expect(completedColumn(area, "SELECT name FROM sqlite_schema WHERE name LIKE 'site_words%'")).toEqual([
      "site_words_insert",
    ]);
  });
});

describe("a view that names its database", () => {
  it("is refused by name, with nothing changed, and not called damage", async () => {
    const area = smallArea();
    edit(area, ["area"], (db) => db.exec("CREATE VIEW seen AS SELECT id FROM main.runs"));
    const before = fingerprint(area.directory);
    expect(await rejectionOf(runReduce(area))).toMatchObject({
      code: "unknown-schema",
      message: "view seen names the database main before a table",
      hint: expect.stringContaining('without "main."'),
    });
    expect(fingerprint(area.directory)).toEqual(before);
  });
});

describe("triggers of a site that would change or forbid what a job does", () => {
  it("are set aside while rows move, and are there afterwards", async () => {
    const area = smallArea();
    const sql = `CREATE TRIGGER site_keep BEFORE DELETE ON tests BEGIN SELECT RAISE(ABORT, 'never'); END;
      CREATE TRIGGER site_cascade AFTER DELETE ON runs BEGIN DELETE FROM tests WHERE run_id = old.id; END;
      CREATE TRIGGER site_stamp AFTER INSERT ON tests BEGIN UPDATE tests SET comment = 'stamped' WHERE id = new.id; END`;
    edit(area, everywhere, (db) => db.exec(sql));
    await toAndFro(area);
    for (const file of [area.cacheDb, area.refDb, area.megatestDb])
      expect(readColumn(file, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'site%'")).toEqual([3]);
  });

  it("are refused by name with nothing changed where a table cannot be written at all", async () => {
    const area = smallArea();
    edit(area, everywhere, (db) => {
      db.function("site_sound", { deterministic: true }, (text) => String(text));
      db.exec("CREATE INDEX site_index ON tests (site_sound(testname))");
    });
    const before = fingerprint(area.directory, area.cacheRoot);
    const refused = { code: "unknown-schema", message: expect.stringContaining("site_sound") };
    await expect(runReduce(area, { dryRun: true })).rejects.toMatchObject(refused);
    await expect(runReduce(area)).rejects.toMatchObject(refused);
    expect(fingerprint(area.directory, area.cacheRoot)).toEqual(before);
  });
});
