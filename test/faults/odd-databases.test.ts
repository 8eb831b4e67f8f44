import { closeSync, openSync, readFileSync, renameSync, statSync, writeFileSync, writeSync } from "node:fs";
import type Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { seededRandom } from "../../producers/demo/sample-area/random.ts";
import { toJobsError } from "../../shared/errors.ts";
import {
  casesOf,
  completedColumn,
  edit,
  everywhere,
  fileOf,
  filesOf,
  newArea,
  type Place,
  readColumn,
  readSuperseded,
  settleTimes,
  showValue,
  type Union,
} from "../support/area.ts";
import { reduceSafely, runReduce, runRestore, unionOf } from "../support/queue.ts";

const fourRuns = { runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4 };

/** Makes a table anew under another declaration, with its rows, indexes and triggers. */
function redeclare(db: Database.Database, table: string, declare: (sql: string) => string): void {
  const about = db.prepare<[string], { type: string; sql: string }>(
    "SELECT type, sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type = 'table' DESC",
  );
  const [own, ...rest] = about.all(table);
  const columns = db.pragma(`table_info(${table})`) as { name: string }[];
  const names = columns.map(({ name }) => `"${name}"`).join(", ");
  db.exec(`ALTER TABLE ${table} RENAME TO old_${table}`);
  for (const { type, sql } of about.all(`old_${table}`).slice(1)) {
    const name = /(?:INDEX|TRIGGER)\s+(?:IF NOT EXISTS\s+)?(\S+)/i.exec(sql)?.[1];
    db.exec(`DROP ${type} ${name}`);
  }
  db.exec(declare(own?.sql ?? ""));
  db.exec(`INSERT INTO ${table} (${names}) SELECT ${names} FROM old_${table}; DROP TABLE old_${table};`);
  for (const { sql } of rest) db.exec(sql);
}

/** What a job ended with. */
async function endOf(area: SampleArea): Promise<string> {
  try {
    return (await runReduce(area)).result.state;
  } catch (error) {
    return toJobsError(error).code;
  }
}

/** Content of a damaged area, since a flipped bit in a value is another value; undefined if it cannot be read. */
function unionWhereReadable(area: SampleArea): Union | undefined {
  try {
    return unionOf(area);
  } catch (error) {
    expect(toJobsError(error).code).toBe("corrupt");
    return undefined;
  }
}

/** What was kept aside, named as in the path of a record. */
function keptNames(area: SampleArea): Set<string> {
  const names: Record<string, readonly string[]> = {
    tests: ["testname", "item_path"],
    test_steps: ["stepname", "state"],
    test_data: ["category", "variable"],
  };
  return new Set(
    readSuperseded(filesOf(area).completedDb).map(
      ({ table, row }) =>
        `${table}:${(names[table] ?? []).map((name) => showValue(row.get(name))).join("|")}`,
    ),
  );
}

function overwrite(file: string, at: number, bytes: Uint8Array): void {
  const handle = openSync(file, "r+");
  writeSync(handle, bytes, 0, bytes.length, at);
  closeSync(handle);
}

describe("databases of another make", () => {
  it("with generated columns, stored and virtual, move and come back", async () => {
    const area = newArea(fourRuns);
    edit(area, everywhere, (db) => {
      db.exec("ALTER TABLE tests ADD COLUMN twice INTEGER GENERATED ALWAYS AS (id * 2) VIRTUAL");
      redeclare(db, "test_data", (sql) =>
        sql.replace(/\(/, "(shout TEXT GENERATED ALWAYS AS (upper(category)) STORED, "),
      );
    });
    const shouting = "SELECT count(*) FROM test_data WHERE shout = upper(category)";
    const data = readColumn(area.cacheDb, shouting);
    expect(data).not.toEqual([0]);
    const { result } = await reduceSafely(area);
    expect(result.moved.runs).toBe(4);
    expect(completedColumn(area, "SELECT count(*) FROM tests WHERE twice = id * 2")).toEqual([16]);
    expect(completedColumn(area, shouting)).toEqual(data);
    expect((await runRestore(area)).result.moved.runs).toBe(4);
    expect(
      readColumn(area.cacheDb, `${shouting} AND test_id IN (SELECT id FROM tests WHERE run_id <= 4)`),
    ).toEqual(data);
  });

  it("with strict tables move", async () => {
    const area = newArea(fourRuns);
    edit(area, everywhere, (db) => {
      redeclare(
        db,
        "test_steps",
        (sql) =>
          `${sql
            .replace(/TIMESTAMP/gi, "INTEGER")
            .replace(/\bDATETIME\b/gi, "INTEGER")
            .replace(/VARCHAR(\(\d+\))?/gi, "TEXT")} STRICT`,
      );
    });
    const { result } = await reduceSafely(area);
    expect(result.moved.runs).toBe(4);
  });

  it("with tables without rowids move and come back", async () => {
    const area = newArea(fourRuns);
    edit(area, everywhere, (db) => {
      for (const table of ["test_data", "run_stats"]) redeclare(db, table, (sql) => `${sql} WITHOUT ROWID`);
    });
    const { result } = await reduceSafely(area);
    expect(result.moved.runs).toBe(4);
    expect((await runRestore(area)).result.moved.runs).toBe(4);
  });

  it("with a value of many megabytes move", async () => {
    const area = newArea(fourRuns);
    edit(area, everywhere, (db) => {
      db.prepare("UPDATE test_data SET value = zeroblob(5000000) WHERE id = 1").run();
    });
    const { result } = await runReduce(area);
    expect(result.moved.runs).toBe(4);
    expect(completedColumn(area, "SELECT length(value) FROM test_data WHERE id = 1")).toEqual([5_000_000]);
  });

  it.each([
    [
      "a view in place of a table",
      (db: Database.Database) =>
        db.exec("ALTER TABLE test_steps RENAME TO steps; CREATE VIEW test_steps AS SELECT * FROM steps"),
    ],
    ["no table of tests", (db: Database.Database) => db.exec("DROP TABLE tests")],
    [
      "a table of tests without ids",
      (db: Database.Database) =>
        db.exec("DROP TABLE tests; CREATE TABLE tests (run_id INTEGER, testname TEXT)"),
    ],
    [
      "the tables of another program",
      (db: Database.Database) => db.exec("DROP TABLE runs; CREATE TABLE runs (started TEXT, ended TEXT)"),
    ],
  ])("with %s are refused as an unknown schema, and stay as they were", async (_, change) => {
    const area = newArea(fourRuns);
    edit(area, everywhere, change);
    const before = everywhere.map((place) => readFileSync(fileOf(area, place)));
    expect(await endOf(area)).toBe("unknown-schema");
    for (const [index, place] of everywhere.entries())
      expect(readFileSync(fileOf(area, place)).equals(before[index] ?? Buffer.of()), place).toBe(true);
  });
});

describe("files that are no databases", () => {
  it.each(everywhere)("in place of %s end the job with a reason, and nothing is lost", async (place) => {
    const area = newArea(fourRuns);
    writeFileSync(fileOf(area, place), "this is no database, however long it is\n".repeat(200));
    settleTimes(area);
    expect(["corrupt", "unknown-schema"]).toContain(await endOf(area));
    expect(readFileSync(fileOf(area, place), "utf8")).toMatch(/^this is no database/);
  });

  it("a database that is cut in the middle ends the job with a reason", async () => {
    const area = newArea({ ...fourRuns, testsPerRun: 40 });
    const bytes = readFileSync(area.megatestDb);
    writeFileSync(area.megatestDb, bytes.subarray(0, Math.floor(bytes.length / 2)));
    settleTimes(area);
    expect(await endOf(area)).toBe("corrupt");
  });
});

describe("pages with flipped bits", () => {
  it.each(casesOf([106, 216, 1, 2, 3, 4, 5, 6, 7, 8], 3))(
    "drawn by seed %d end in a reduce that is whole, or in a reason with every readable record kept",
    async (seed) => {
      const random = seededRandom(seed);
      const area = newArea({ ...fourRuns, testsPerRun: 40, seed });
      const before = unionOf(area);
      const place = random.pick<Place>(["cache", "area"]);
      const file = fileOf(area, place);
      const copy = `${file}.sound`;
      writeFileSync(copy, readFileSync(file));
      const pages = statSync(file).size / 4096;
      for (let left = 1 + random.below(12); left > 0; left--) {
        const at = (1 + random.below(pages - 1)) * 4096 + random.below(4096);
        overwrite(file, at, Uint8Array.of(random.below(256)));
      }
      settleTimes(area);
      const damaged = unionWhereReadable(area);
      const end = await endOf(area);
      expect(["completed", "corrupt", "busy"]).toContain(end);
      const whole = end === "completed" && damaged !== undefined ? unionWhereReadable(area) : undefined;
      if (whole === undefined) {
        // What was not damaged still holds whatever completed-runs.db does not.
        renameSync(copy, file);
        settleTimes(area);
        await runReduce(area);
      }
      const [known, after] = whole === undefined ? [before, unionOf(area)] : [damaged ?? before, whole];
      const gone = [...known.records.keys()].filter((path) => !after.records.has(path));
      // A flipped id makes another record of a row: the one of megatest.db that it stands in the way of is kept aside.
      const kept = keptNames(area);
      expect(gone.filter((path) => !path.split(" / ").some((name) => kept.has(name)))).toEqual([]);
    },
  );
});
