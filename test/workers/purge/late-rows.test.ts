import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  completedColumn,
  edit,
  exportsIn,
  fileOf,
  newArea,
  readColumn,
  syncOnce,
  temporaryDirectory,
} from "../../support/area.ts";
import { atRest, runImport, runPurge, runReduce, skippedBy } from "../../support/queue.ts";

/** An area whose runs have moved, and a test of run 1. */
async function movedArea(): Promise<{ area: SampleArea; test: number; directory: string }> {
  const area = newArea({ ...atRest, runs: 2 });
  await runReduce(area);
  const [test] = completedColumn(area, "SELECT min(id) FROM tests WHERE run_id = 1");
  return { area, test: Number(test), directory: temporaryDirectory() };
}

const purgeRun1 = (directory: string) => ({ export: directory, runname: undefined, runId: [1] });

/** Purges run 1, and reports to it once it is exported, as a client does at any time. */
async function purgeAndReport(area: SampleArea, directory: string, report: string) {
  const failpoint = (name: string) => {
    if (name === "exported") edit(area, ["cache"], (db) => db.exec(report));
  };
  return (await runPurge(area, purgeRun1(directory), { failpoint })).result;
}

describe("a row that is reported for a moved run while it is exported keeps the run, and the next purge exports it", () => {
  it.each([
    [
      "a step",
      "test_steps",
      (test: number) =>
        `INSERT INTO test_steps (test_id, stepname, state, comment) VALUES (${test}, 's', 'end', 'late')`,
    ],
    [
      "a datum",
      "test_data",
      (test: number) =>
        `INSERT INTO test_data (test_id, category, variable, comment) VALUES (${test}, 'c', 'v', 'late')`,
    ],
    [
      "a test",
      "tests",
      () => "INSERT INTO tests (run_id, testname, state, comment) VALUES (1, 'more', 'COMPLETED', 'late')",
    ],
    [
      "a row of a table without an index, of a test",
      "test_rundat",
      (test: number) => `INSERT INTO test_rundat (test_id, update_time, cpuload) VALUES (${test}, 5, 'late')`,
    ],
    [
      "a row of a table without an index, of the run",
      "extradat",
      () => "INSERT INTO extradat (run_id, key, val) VALUES (1, 'k', 'late')",
    ],
  ])("%s", async (_, table, report) => {
    const { area, test, directory } = await movedArea();
    const result = await purgeAndReport(area, directory, report(test));
    expect([result.moved.runs, skippedBy(result)]).toEqual([0, { 1: "in-flight" }]);
    expect(completedColumn(area, "SELECT state FROM mtjobs_runs WHERE run_id = 1")).toEqual(["moved"]);
    const { result: next } = await runPurge(area, purgeRun1(directory));
    expect(next).toMatchObject({ moved: { runs: 1 }, late: 1, skipped: [] });
    const file = next.runs[0]?.exportFile ?? "";
    expect(exportsIn(directory)).toContain(file);
    expect(lateIn(file, table)).toBe(1);
    expect(lateIn(fileOf(area, "cache"), table)).toBe(0);
  });
});

/** Returns the number of rows of a table that say "late". */
function lateIn(file: string, table: string): number {
  const db = new Database(file, { readonly: true });
  try {
    const rows = db.prepare<[], Record<string, unknown>>(`SELECT * FROM ${table}`).all();
    return rows.filter((row) => Object.values(row).includes("late")).length;
  } finally {
    db.close();
  }
}

describe("a step that a sync puts back under its old id", () => {
  /** A step of run 1 in the cache, below the ids that jobs have searched. */
  async function withOldStep() {
    const moved = await movedArea();
    const { area, test } = moved;
    await runReduce(area, { runname: "none" });
    edit(area, ["cache"], (db) =>
      db.exec(
        `INSERT INTO test_steps (id, test_id, stepname, state, comment) VALUES (1, ${test}, 's', 'end', 'late')`,
      ),
    );
    return moved;
  }

  it("keeps its run, is collected by that purge, and exported by the next one", async () => {
    const { area, directory } = await withOldStep();
    const { result } = await runPurge(area, purgeRun1(directory));
    expect([result.moved.runs, skippedBy(result)]).toEqual([0, { 1: "in-flight" }]);
    expect(readColumn(fileOf(area, "cache"), "SELECT comment FROM test_steps WHERE id = 1")).toEqual([]);
    const { result: next } = await runPurge(area, purgeRun1(directory));
    expect([next.moved.runs, lateIn(next.runs[0]?.exportFile ?? "", "test_steps")]).toEqual([1, 1]);
  });
});

it("foretells that a run with a late step is purged, as the purge does once it has collected the step", async () => {
  const { area, test, directory } = await movedArea();
  edit(area, ["cache"], (db) =>
    db.exec(`INSERT INTO test_steps (test_id, stepname, state) VALUES (${test}, 's', 'end')`),
  );
  const { result: foretold } = await runPurge(area, { ...purgeRun1(directory), dryRun: true });
  const { result } = await runPurge(area, purgeRun1(directory));
  expect([foretold.moved.runs, result.moved.runs, result.late]).toEqual([1, 1, 1]);
});

describe("a row that is reported for a purged run joins it once it is imported", () => {
  it.each([
    [
      "test_steps",
      (test: number) => `(test_id, stepname, state, comment) VALUES (${test}, 's', 'end', 'late')`,
    ],
    [
      "test_data",
      (test: number) => `(test_id, category, variable, comment) VALUES (${test}, 'c', 'v', 'late')`,
    ],
    ["test_rundat", (test: number) => `(test_id, update_time, cpuload) VALUES (${test}, 5, 'late')`],
    ["tests", () => "(run_id, testname, state, comment) VALUES (1, 'more', 'COMPLETED', 'late')"],
  ] as const)("%s", async (table, values) => {
    const { area, test, directory } = await movedArea();
    await runPurge(area, purgeRun1(directory));
    edit(area, ["cache"], (db) => db.exec(`INSERT INTO ${table} ${values(test)}`));
    await syncOnce(area, { quietMs: 0 });
    await runImport(area, exportsIn(directory)[0] as string);
    await runReduce(area, { runname: undefined, runId: [99] });
    const column = table === "test_rundat" ? "cpuload" : "comment";
    const late = `SELECT count(*) FROM ${table} WHERE ${column} = 'late'`;
    expect(completedColumn(area, late)).toEqual([1]);
    for (const file of [area.cacheDb, area.refDb, area.megatestDb])
      expect(readColumn(file, late)).toEqual([0]);
  });
});
