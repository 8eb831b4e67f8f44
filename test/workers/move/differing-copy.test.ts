import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { assertNothingLost, completedColumn, filesOf, newArea, readRows } from "../../support/area.ts";
import { historyOf, reduceSafely, runReduce, skippedBy, unionOf } from "../../support/queue.ts";

/** A value that each table's copy gets in one row. */
const changes = {
  runs: "comment = 'other'",
  tests: "rundir = rundir || 'x'",
  test_steps: "logfile = NULL",
  test_data: "value = value + 1",
  run_stats: "count = 99",
  extradat: "val = 'other'",
  test_rundat: "cpuload = '0'",
  archives: "archive_path = 'other'",
};
const tables = Object.keys(changes) as (keyof typeof changes)[];

const build = (testsPerRun = 3) => newArea({ runs: 4, inFlight: 0, unsynced: false, testsPerRun });

/** All record rows of each source, with the file and table they are in. */
const rowsOfSources = ({ cacheDb, refDb, megatestDb }: SampleArea) =>
  [cacheDb, refDb, megatestDb].flatMap((file) =>
    tables.map((table) => ({ file, table, rows: readRows(file, `SELECT * FROM ${table} ORDER BY id`) })),
  );

/** Asserts that each source still has every row; it may have rows of mtjobs besides. */
function expectNothingRemoved(area: SampleArea, before: ReturnType<typeof rowsOfSources>): void {
  for (const [index, { file, table, rows }] of rowsOfSources(area).entries())
    expect(rows, `${table} of ${file}`).toEqual(expect.arrayContaining(before[index]?.rows ?? []));
}

/** Changes the copy through a connection of its own once it is committed, before it is compared. */
function alterCopy(area: SampleArea, sql: string, pass = 1) {
  let left = pass;
  return {
    failpoint: (name: string) => {
      if (name !== "copied" || --left !== 0) return;
      const db = new Database(filesOf(area).completedDb);
      try {
        expect(db.prepare(sql).run().changes).toBe(1);
      } finally {
        db.close();
      }
    },
  };
}

const oneRow = (table: string) => `id = (SELECT min(id) FROM ${table})`;

describe("a copy that reads back differently from completed-runs.db", () => {
  it.each(Object.entries(changes))(
    "ends the job before anything is removed, and the next job copies again: a value in %s",
    async (table, change) => {
      const area = build();
      const before = rowsOfSources(area);
      const altered = alterCopy(area, `UPDATE ${table} SET ${change} WHERE ${oneRow(table)}`);
      await expect(runReduce(area, {}, altered)).rejects.toMatchObject({
        code: "corrupt",
        message: `a row of ${table} reads back differently from completed-runs.db`,
        hint: expect.stringMatching(/^nothing was removed/),
      });
      expectNothingRemoved(area, before);
      expect(historyOf(area)).toMatchObject([{ state: "failed", moved: { runs: 0 } }]);
      const { result } = await reduceSafely(area);
      expect(result).toMatchObject({ moved: { runs: 4 }, undone: { reduce: 4 } });
    },
  );

  it.each(tables)("ends the job if a row of %s is missing in it", async (table) => {
    const area = build();
    const before = rowsOfSources(area);
    const altered = alterCopy(area, `DELETE FROM ${table} WHERE ${oneRow(table)}`);
    await expect(runReduce(area, {}, altered)).rejects.toMatchObject({ code: "corrupt" });
    expectNothingRemoved(area, before);
    const { result } = await runReduce(area);
    if (table === "tests") {
      // The copies of its steps and data are not found without it, and are in the way.
      expect(skippedBy(result)).toEqual({ 1: "conflict" });
      expect(result.warnings.join()).toContain("run 1 (");
    }
    expect(result.moved.runs).toBe(table === "tests" ? 3 : 4);
  });

  it("ends the job at a later batch too, when earlier ones are being removed", async () => {
    const area = newArea({ runs: 4, inFlight: 0, testsPerRun: 900, stepsPerTest: 0, dataPerTest: 0 });
    const before = unionOf(area);
    const copied = "(SELECT run_id FROM mtjobs_runs WHERE state = 'copying')";
    const one = `(SELECT max(id) FROM tests WHERE run_id IN ${copied})`;
    const altered = alterCopy(area, `UPDATE tests SET host = 'other' WHERE id = ${one}`, 3);
    await expect(runReduce(area, {}, altered)).rejects.toMatchObject({ code: "corrupt" });
    assertNothingLost(before, unionOf(area), { unfinished: true });
    await reduceSafely(area);
    assertNothingLost(before, unionOf(area));
    expect(completedColumn(area, "SELECT count(*) FROM mtjobs_runs WHERE state = 'moved'")).toEqual([4]);
  });
});
