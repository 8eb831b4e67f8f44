import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { completedColumn, edit, everywhere, newArea, readColumn } from "../../support/area.ts";
import { runReduce } from "../../support/queue.ts";

const fourRuns = { runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4 };

/** An area whose cache and megatest.db have the same rows of the tables that never sync. */
function agreedArea(): SampleArea {
  const area = newArea(fourRuns);
  for (const table of ["run_stats", "extradat", "test_rundat", "archives"]) {
    const rows: unknown[][] = [];
    edit(area, ["cache"], (db) => {
      rows.push(...(db.prepare(`SELECT * FROM ${table} ORDER BY id`).raw().all() as unknown[][]));
    });
    edit(area, ["area"], (db) => {
      db.exec(`DELETE FROM ${table}`);
      // Other ids: each database hands out its own.
      for (const [id, ...rest] of rows) {
        db.prepare(`INSERT INTO ${table} VALUES (?${", ?".repeat(rest.length)})`).run(
          Number(id) + 5000,
          ...rest,
        );
      }
    });
  }
  return area;
}

describe("rows that never sync, where megatest.db has a column that the cache lacks", () => {
  it.each(["run_stats", "extradat", "test_rundat", "archives"])(
    "come once each, with what megatest.db alone has in it: %s",
    async (table) => {
      const area = agreedArea();
      const count = readColumn(area.cacheDb, `SELECT count(*) FROM ${table}`);
      edit(area, ["area"], (db) =>
        db.exec(`ALTER TABLE ${table} ADD COLUMN site TEXT; UPDATE ${table} SET site = 'site ' || id`),
      );
      const sites = readColumn(area.megatestDb, `SELECT site FROM ${table} ORDER BY id`);
      expect(sites).not.toEqual([]);
      const { result } = await runReduce(area);
      expect(result).toMatchObject({ moved: { runs: 4 }, late: 0, superseded: 0 });
      expect(completedColumn(area, `SELECT count(*) FROM ${table}`)).toEqual(count);
      expect(completedColumn(area, `SELECT site FROM ${table} ORDER BY id`)).toEqual(sites);
      expect(readColumn(area.megatestDb, `SELECT count(*) FROM ${table}`)).toEqual([0]);
    },
  );

  it("give twins that differ only there to as many rows of the cache, and the rest comes along", async () => {
    const area = newArea(fourRuns);
    edit(area, everywhere, (db) => db.exec("DELETE FROM extradat"));
    edit(area, ["cache"], (db) =>
      db.exec(
        "INSERT INTO extradat (run_id, key, val) VALUES (2, 'twin', 'v'), (2, 'twin', 'v'), (2, 'here', 'v')",
      ),
    );
    edit(area, ["area"], (db) =>
      db.exec(`ALTER TABLE extradat ADD COLUMN site TEXT DEFAULT 'nowhere';
        INSERT INTO extradat (run_id, key, val, site) VALUES (2, 'twin', 'v', 'a'), (2, 'twin', 'v', 'b'),
          (2, 'twin', 'v', 'c'), (2, 'there', 'v', 'd')`),
    );
    const { result } = await runReduce(area);
    expect(result).toMatchObject({ moved: { runs: 4, extradat: 5 }, late: 0, superseded: 0 });
    expect(completedColumn(area, "SELECT key || ' ' || site FROM extradat ORDER BY 1")).toEqual([
      "here nowhere",
      "there d",
      "twin a",
      "twin b",
      "twin c",
    ]);
  });

  it("have the default where the column must not be NULL and only the cache has the row", async () => {
    const area = newArea(fourRuns);
    edit(area, ["area"], (db) => db.exec("DELETE FROM extradat"));
    for (const table of ["extradat", "test_steps"]) {
      edit(area, ["area"], (db) => db.exec(`ALTER TABLE ${table} ADD COLUMN cost REAL NOT NULL DEFAULT 1.5`));
    }
    edit(area, ["area", "ref"], (db) =>
      db.exec("DELETE FROM test_steps WHERE id IN (SELECT min(id) FROM test_steps)"),
    );
    const { result } = await runReduce(area);
    expect(result.moved.runs).toBe(4);
    expect(completedColumn(area, "SELECT DISTINCT cost FROM extradat")).toEqual([1.5]);
    expect(completedColumn(area, "SELECT DISTINCT cost FROM test_steps")).toEqual([1.5]);
  });
});
