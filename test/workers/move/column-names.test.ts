import { describe, expect, it } from "vitest";
import { recordShapes } from "../../../shared/area-db/record-tables.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  everywhere,
  newArea,
  type Place,
} from "../../support/area.ts";
import { runReduce, runRestore, unionOf } from "../../support/queue.ts";

const tables = recordShapes.map(({ table }) => table);

/** Names that SQLite, or SQL of mtjobs, has or had a meaning for. */
const names = [
  ...["twin", "stage_row", "mtjobs", "row", "life", "rank", "winner", "incoming", "fitted"],
  ...["part", "table_name", "low", "high", "s", "x", "d", "w", "n", "select", "a b", 'say "so"'],
];

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

describe("a column of a site, whatever its name", () => {
  it.each(names)("%s: its rows move out, late ones too, and come back with its values", async (name) => {
    const area = newArea({ runs: 3, inFlight: 0, testsPerRun: 3, stepsPerTest: 1, dataPerTest: 1 });
    const column = quoted(name);
    edit(area, everywhere, (db) => {
      for (const table of tables)
        db.exec(`ALTER TABLE ${table} ADD COLUMN ${column}; UPDATE ${table} SET ${column} = 'v' || id`);
    });
    const add = (places: readonly Place[], key: string, count: number) =>
      edit(area, places, (db) => {
        for (let one = 0; one < count; one++)
          db.exec(`INSERT INTO extradat (run_id, key, val, ${column}) VALUES (1, '${key}', 'b', 7)`);
      });
    // Equal rows are counted: of these, two are in megatest.db alone.
    add(["cache"], "equal", 1);
    add(["area"], "equal", 3);
    const before = unionOf(area);
    const { result } = await runReduce(area);
    expect(result).toMatchObject({ moved: { runs: 3 }, skipped: [], superseded: 0 });
    const count = (key: string) =>
      completedColumn(area, `SELECT count(*) FROM extradat WHERE key = '${key}' AND ${column} = 7`);
    expect(count("equal")).toEqual([3]);
    assertNothingLost(before, unionOf(area));
    add(["cache"], "late", 2);
    expect((await runReduce(area, { runname: "none of them" })).result.late).toBe(2);
    expect(count("late")).toEqual([2]);
    const late = unionOf(area);
    await runRestore(area);
    assertNothingLost(late, unionOf(area));
  });

  it.each(["rowid", "_rowid_"])(
    "%s: rows of a table without a sync move out, late ones too",
    async (name) => {
      const area = newArea({ runs: 2, inFlight: 0, unsynced: false, testsPerRun: 3 });
      // SQLite adds such a column no more, but a table may have it.
      edit(area, everywhere, (db) =>
        db.exec(`DROP TABLE extradat; CREATE TABLE extradat (id INTEGER PRIMARY KEY, run_id INTEGER, key TEXT, val INTEGER, ${name} TEXT);
        INSERT INTO extradat (run_id, key, val, ${name}) VALUES (1, 'a', 1, NULL), (1, 'b', 2, 'two'), (2, 'c', 3, 'two')`),
      );
      await runReduce(area);
      edit(area, ["cache"], (db) =>
        db.exec(
          `INSERT INTO extradat (run_id, key, val, ${name}) VALUES (1, 'late', 4, NULL), (2, 'late', 5, 'two')`,
        ),
      );
      expect((await runReduce(area, { runname: "none of them" })).result.late).toBe(2);
      const rows = `SELECT key || val || coalesce(${name}, '-') FROM extradat ORDER BY 1`;
      expect(completedColumn(area, rows)).toEqual(["a1-", "b2two", "c3two", "late4-", "late5two"]);
    },
  );

  it("life: does not hide that a run is recent", async () => {
    const area = newArea({ runs: 2, inFlight: 0, testsPerRun: 3 });
    edit(area, everywhere, (db) => {
      for (const table of ["runs", "tests", "test_steps", "test_data"])
        db.exec(`ALTER TABLE ${table} ADD COLUMN life INTEGER DEFAULT 0`);
      db.exec("UPDATE test_steps SET event_time = strftime('%s', 'now') - 60");
    });
    const { result } = await runReduce(area, { age: 86_400_000 });
    expect(result).toMatchObject({ moved: { runs: 0 }, skippedCounts: { recent: 2 } });
  });
});
