import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  cleanUp,
  completedColumn,
  edit,
  everywhere,
  filesOf,
  keptVersions,
  newArea,
  type Place,
  readColumn,
  readRows,
} from "../../support/area.ts";
import { reduceSafely, runReduce, runRestore } from "../../support/queue.ts";

const nothing = { runname: "no such run" };

/** Runs 1 and 2 of four have moved. Returns the area with a test of run 2. */
async function movedArea(options: { cacheWal?: boolean } = {}): Promise<{ area: SampleArea; test: number }> {
  const area = newArea({ runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4, ...options });
  await reduceSafely(area, { runname: undefined, runId: [1, 2] });
  return { area, test: Number(completedColumn(area, "SELECT max(id) FROM tests WHERE run_id = 2")[0]) };
}

function write(area: SampleArea, places: readonly Place[], sql: string): void {
  edit(area, places, (db) => db.exec(sql));
}

/** Nothing of the moved runs is in any database of the area. */
function expectGone(area: SampleArea): void {
  for (const file of [area.cacheDb, area.refDb, area.megatestDb]) {
    expect(
      readColumn(
        file,
        "SELECT id FROM runs WHERE id IN (1, 2) UNION ALL SELECT id FROM tests WHERE run_id IN (1, 2)",
      ),
    ).toEqual([]);
    const known = completedColumn(area, "SELECT id FROM tests").join();
    for (const table of ["test_steps", "test_data", "test_rundat", "archives"]) {
      expect(readColumn(file, `SELECT id FROM ${table} WHERE test_id IN (${known})`)).toEqual([]);
    }
  }
}

describe("a late report for a moved run is collected by the next job", () => {
  it.each<[string, readonly Place[]]>([
    ["the cache", ["cache"]],
    ["megatest.db", ["area"]],
    ["all databases, for it was synced", ["cache", "ref", "area"]],
  ])("a test without its run, with its step and datum, from %s", async (_, places) => {
    const { area } = await movedArea();
    write(
      area,
      places,
      `INSERT INTO tests (id, run_id, testname, state) VALUES (5000, 2, 'late', 'COMPLETED');
      INSERT INTO test_steps (id, test_id, stepname, state) VALUES (5000, 5000, 's', 'end');
      INSERT INTO test_data (id, test_id, category, variable) VALUES (5000, 5000, 'c', 'v')`,
    );
    const { result } = await reduceSafely(area, nothing);
    expect(result.late).toBe(3);
    expect(completedColumn(area, "SELECT run_id FROM tests WHERE testname = 'late'")).toEqual([2]);
    expect(completedColumn(area, "SELECT stepname FROM test_steps WHERE test_id = 5000")).toEqual(["s"]);
    expectGone(area);
  });

  it.each<[string, readonly Place[]]>([
    ["the cache", ["cache"]],
    ["megatest.db", ["area"]],
  ])("a step and a datum without their test, from %s", async (_, places) => {
    const { area, test } = await movedArea();
    write(
      area,
      places,
      `INSERT INTO test_steps (test_id, stepname, state, comment) VALUES (${test}, 'late', 'end', 'l');
      INSERT INTO test_data (test_id, category, variable) VALUES (${test}, 'late', 'v')`,
    );
    const { result } = await reduceSafely(area, nothing);
    expect(result.late).toBe(2);
    expect(
      completedColumn(area, "SELECT comment FROM test_steps WHERE test_id = ? AND stepname = 'late'", test),
    ).toEqual(["l"]);
    expectGone(area);
  });

  it("rows of tables that no sync carries and no index finds", async () => {
    const { area, test } = await movedArea();
    write(
      area,
      ["cache"],
      `INSERT INTO run_stats (run_id, state, count) VALUES (2, 'LATE', 1);
      INSERT INTO extradat (run_id, key) VALUES (1, 'late'); INSERT INTO test_rundat (test_id, update_time) VALUES (${test}, 77);
      INSERT INTO archives (test_id, archive_path) VALUES (${test}, '/late')`,
    );
    const { result } = await reduceSafely(area, nothing);
    expect(result.late).toBe(4);
    expect(completedColumn(area, "SELECT run_id FROM run_stats WHERE state = 'LATE'")).toEqual([2]);
    expect(completedColumn(area, "SELECT test_id FROM archives WHERE archive_path = '/late'")).toEqual([
      test,
    ]);
    expectGone(area);
  });

  it("also after a first job looked and found nothing", async () => {
    const { area, test } = await movedArea({ cacheWal: true });
    await reduceSafely(area, nothing);
    await reduceSafely(area, nothing);
    write(
      area,
      ["cache"],
      `INSERT INTO test_steps (test_id, stepname, state) VALUES (${test}, 'late', 'end')`,
    );
    expect((await reduceSafely(area, nothing)).result.late).toBe(1);
    expect((await reduceSafely(area, nothing)).result.late).toBe(0);
  });

  it("a step that reports again takes the place of the moved one, which is kept", async () => {
    const { area, test } = await movedArea();
    const [step] = readRows(
      filesOf(area).completedDb,
      "SELECT * FROM test_steps WHERE test_id = ? ORDER BY id",
      test,
    );
    write(
      area,
      ["cache"],
      `INSERT INTO test_steps (test_id, stepname, state, comment)
      VALUES (${test}, '${step?.stepname}', '${step?.state}', 'again')`,
    );
    const { result } = await reduceSafely(area, nothing, { losses: { newIds: true } });
    expect(
      completedColumn(
        area,
        "SELECT comment FROM test_steps WHERE test_id = ? AND stepname = ? AND state = ?",
        test,
        step?.stepname ?? "",
        step?.state ?? "",
      ),
    ).toEqual(["again"]);
    expect(keptVersions(area, "test_steps", Number(step?.id), "comment")).toEqual(['""']);
    expect(result.superseded).toBe(1);
    expectGone(area);
  });

  it("a later version of a moved test leaves what only megatest.db had in a column of its own", async () => {
    const area = newArea({ runs: 2, inFlight: 0, unsynced: false, testsPerRun: 2 });
    edit(area, ["area"], (db) =>
      db.exec("ALTER TABLE tests ADD COLUMN site TEXT; UPDATE tests SET site = 'here'"),
    );
    const [row] = readRows(area.cacheDb, "SELECT * FROM tests WHERE run_id = 2");
    await runReduce(area, { runname: undefined, runId: [2] });
    const names = Object.keys(row ?? {});
    edit(area, ["cache"], (db) =>
      db
        .prepare(`INSERT INTO tests (${names.join()}) VALUES (${names.map((name) => `@${name}`).join()})`)
        .run({ ...row, comment: "later" }),
    );
    await runReduce(area, nothing);
    expect(
      completedColumn(area, "SELECT comment || ' ' || site FROM tests WHERE id = ?", row?.id ?? null),
    ).toEqual(["later here"]);
  });

  it("before Megatest's clean-up can delete it; rows without a run stay", async () => {
    const { area } = await movedArea();
    write(
      area,
      ["cache"],
      `INSERT INTO tests (run_id, testname, state) VALUES (2, 'late', 'COMPLETED'), (4711, 'nobody''s', 'COMPLETED')`,
    );
    const { result } = await reduceSafely(area, nothing);
    expect(result.late).toBe(1);
    expect(readColumn(area.cacheDb, "SELECT run_id FROM tests WHERE testname = 'nobody''s'")).toEqual([4711]);
    cleanUp([area.cacheDb, area.refDb, area.megatestDb]);
    expect(completedColumn(area, "SELECT count(*) FROM tests WHERE testname = 'late'")).toEqual([1]);
  });

  it("a late test of the name of a moved one is kept aside, for its run has that test", async () => {
    const { area, test } = await movedArea();
    const [row] = readRows(filesOf(area).completedDb, "SELECT * FROM tests WHERE id = ?", test);
    write(
      area,
      ["cache"],
      `INSERT INTO tests (id, run_id, testname, item_path, state, comment)
      VALUES (6000, 2, '${row?.testname}', '${row?.item_path}', 'COMPLETED', 'twin')`,
    );
    const { result } = await runReduce(area, nothing);
    expect(
      completedColumn(
        area,
        "SELECT count(*) FROM tests WHERE run_id = 2 AND testname = ? AND item_path = ?",
        row?.testname ?? "",
        row?.item_path ?? "",
      ),
    ).toEqual([1]);
    expect(keptVersions(area, "tests", 6000, "comment")).toEqual(['"twin"']);
    expect(result.superseded).toBe(1);
    expectGone(area);
  });
});

describe("a test that a client starts anew, under another id, in a run that a dead job left half way", () => {
  /** The first test of run 2 is gone from the cache, and there again with a step and a datum of its own. */
  function startAnew(area: SampleArea): number {
    const [old] = readRows(area.cacheDb, "SELECT * FROM tests WHERE run_id = 2 ORDER BY id");
    const children = ["test_steps", "test_data", "test_rundat", "archives"];
    write(
      area,
      ["cache"],
      `DELETE FROM tests WHERE id = ${old?.id};
      ${children.map((table) => `DELETE FROM ${table} WHERE test_id = ${old?.id};`).join(" ")}
      INSERT INTO tests (id, run_id, testname, item_path, state, comment)
        VALUES (5000, 2, '${old?.testname}', '${old?.item_path}', 'COMPLETED', 'anew');
      INSERT INTO test_steps (id, test_id, stepname, state) VALUES (5000, 5000, 's', 'end');
      INSERT INTO test_data (id, test_id, category, variable) VALUES (5000, 5000, 'c', 'v')`,
    );
    return Number(old?.id);
  }

  /** The run leaves in several slices then, its own row with the first one. */
  const addManySteps = (area: SampleArea) =>
    write(
      area,
      everywhere,
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
       INSERT INTO test_steps (id, test_id, stepname, state)
       SELECT 100000 + i, (SELECT min(id) + 1 FROM tests WHERE run_id = 2), 'many' || i, 'end' FROM n`,
    );

  const dieAt = (step: string) => (name: string) => {
    if (name === step) throw new Error("died");
  };
  const run2 = { runname: undefined, runId: [2] };

  it.each([
    ["half restored", "brought-to-cache", false],
    ["half reduced", "removing", false],
    ["half reduced with a large test beside it", "removing", true],
  ])(
    "is the record, with what hangs on it, and the one before is kept aside: %s",
    async (way, step, large) => {
      const area = newArea({ runs: 2, inFlight: 0, unsynced: false, testsPerRun: 4 });
      if (large) addManySteps(area);
      const failpoint = dieAt(step);
      if (way === "half restored") {
        await runReduce(area);
        await expect(runRestore(area, run2, { failpoint })).rejects.toThrow("died");
      } else await expect(runReduce(area, run2, { failpoint })).rejects.toThrow("died");
      const old = startAnew(area);
      const { result } = await runReduce(area, nothing);
      expect(completedColumn(area, "SELECT comment FROM tests WHERE id = 5000")).toEqual(["anew"]);
      expect(completedColumn(area, "SELECT stepname FROM test_steps WHERE test_id = 5000")).toEqual(["s"]);
      expect(completedColumn(area, "SELECT variable FROM test_data WHERE test_id = 5000")).toEqual(["v"]);
      expect(completedColumn(area, "SELECT count(*) FROM tests WHERE run_id = 2")).toEqual([4]);
      expect(keptVersions(area, "tests", old, "id")).toHaveLength(1);
      const kept = "SELECT count(*) FROM mtjobs_superseded WHERE table_name = 'test_steps'";
      expect(Number(completedColumn(area, kept)[0])).toBeGreaterThan(0);
      for (const table of ["test_steps", "test_data", "test_rundat", "archives"])
        expect(completedColumn(area, `SELECT id FROM ${table} WHERE test_id = ${old}`)).toEqual([]);
      expect(result.superseded).toBeGreaterThan(1);
      for (const file of [area.cacheDb, area.refDb, area.megatestDb])
        expect(readColumn(file, "SELECT id FROM tests WHERE run_id = 2")).toEqual([]);
    },
  );
});
