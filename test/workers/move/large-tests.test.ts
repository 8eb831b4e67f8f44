import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  everywhere,
  firstTestOf,
  keptVersions,
  newArea,
  readColumn,
  readRows,
} from "../../support/area.ts";
import {
  firstTime,
  movedIds,
  reduceSafely,
  runReduce,
  runReduceProcess,
  runRestore,
  skippedBy,
  unionOf,
} from "../../support/queue.ts";

const steps = 5_000;
const firstStep = 1_000_001;

/** Two runs, with so many steps in a test of the first that they fit into no lock. */
function areaWithLargeTest(options: { old?: boolean } = {}): { area: SampleArea; test: number } {
  const area = newArea({ runs: 2, inFlight: 0, unsynced: false, testsPerRun: 3, ...options });
  const test = firstTestOf(area, 1);
  edit(area, everywhere, (db) =>
    db.exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${steps - 1})
      INSERT INTO test_steps (id, test_id, stepname, state, status, event_time, last_update)
      SELECT ${firstStep} + i, ${test}, 'sample_' || i, 'end', 0, ${area.now - 50 * 86_400}, 1 FROM n`),
  );
  return { area, test };
}

const lastTestOf = (area: SampleArea, run: number) =>
  Number(readColumn(area.cacheDb, "SELECT max(id) FROM tests WHERE run_id = ?", run)[0]);

const stepsOf = (test: number) => `SELECT count(*) FROM test_steps WHERE test_id = ${test}`;

describe("a test with thousands of steps", () => {
  it("leaves the cache in several transactions, its own row with the last", async () => {
    const { area, test } = areaWithLargeTest();
    const before = unionOf(area);
    const all = Number(readColumn(area.cacheDb, stepsOf(test))[0]);
    const { signal } = await runReduceProcess(area, ["--run-id", "1", "--compact", "never"], {
      MTJOBS_FAILPOINT: "committed-in-cache:2=kill",
    });
    expect(signal).toBe("SIGKILL");
    const left = Number(readColumn(area.cacheDb, stepsOf(test))[0]);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(all);
    expect(readColumn(area.cacheDb, "SELECT id FROM tests WHERE id = ?", test)).toEqual([test]);
    await runReduce(area);
    assertNothingLost(before, unionOf(area));
    expect(completedColumn(area, stepsOf(test))).toEqual([all]);
    expect(readColumn(area.cacheDb, stepsOf(test))).toEqual([0]);
  });

  it("comes back row by row as it was", async () => {
    const { area, test } = areaWithLargeTest();
    // What the sync carries: megatest.db has times of its own.
    const sql = `SELECT id, test_id, stepname, state, status, event_time, comment, logfile FROM test_steps WHERE test_id = ${test} ORDER BY id`;
    const files = [area.cacheDb, area.refDb, area.megatestDb];
    const before = files.map((file) => readRows(file, sql));
    await runReduce(area);
    expect(readColumn(area.megatestDb, stepsOf(test))).toEqual([0]);
    await runRestore(area);
    expect(files.map((file) => readRows(file, sql))).toEqual(before);
    expect(completedColumn(area, stepsOf(test))).toEqual([0]);
  });

  it("is copied again whole where its last step was written to after the copy", async () => {
    const { area, test } = areaWithLargeTest();
    const last = firstStep + steps - 1;
    const { result } = await runReduce(
      area,
      {},
      {
        failpoint: firstTime("removing", () => {
          edit(area, ["cache"], (db) => db.exec(`UPDATE test_steps SET comment = 'late' WHERE id = ${last}`));
        }),
      },
    );
    expect(movedIds(result)).toEqual([1, 2]);
    expect(completedColumn(area, "SELECT comment FROM test_steps WHERE id = ?", last)).toEqual(["late"]);
    expect(completedColumn(area, "SELECT count(*) FROM tests WHERE id = ?", test)).toEqual([1]);
  });

  it("leaves its run finished, with steps that only the cache had, where a client writes when some are gone", async () => {
    const { area, test } = areaWithLargeTest();
    edit(area, ["area", "ref"], (db) => db.exec(`DELETE FROM test_steps WHERE id >= ${firstStep}`));
    const all = Number(readColumn(area.cacheDb, stepsOf(test))[0]);
    const other = lastTestOf(area, 1);
    const { result } = await runReduce(
      area,
      {},
      {
        failpoint: firstTime("committed-in-cache", () => {
          edit(area, ["cache"], (db) => db.exec(`UPDATE tests SET comment = 'late' WHERE id = ${other}`));
        }),
      },
    );
    expect(movedIds(result)).toEqual([1, 2]);
    expect(completedColumn(area, stepsOf(test))).toEqual([all]);
    expect(completedColumn(area, "SELECT comment FROM tests WHERE id = ?", other)).toEqual(["late"]);
  });

  it("holds its run back where only its last step is recent", async () => {
    const { area } = areaWithLargeTest();
    const now = Math.floor(area.now);
    edit(area, everywhere, (db) =>
      db.exec(`UPDATE runs SET event_time = 1, last_update = 1; UPDATE tests SET event_time = 1, run_duration = 1, last_update = 1;
        UPDATE test_data SET last_update = 1; UPDATE test_steps SET event_time = 1, last_update = 1;
        UPDATE test_steps SET event_time = ${now} WHERE id = ${firstStep + steps - 1}`),
    );
    const { result } = await reduceSafely(area, { age: 30 * 86_400_000 });
    expect(skippedBy(result)).toEqual({ 1: "recent" });
    expect(movedIds(result)).toEqual([2]);
  });

  it("keeps its steps where it stands in the cache under another id", async () => {
    const { area, test } = areaWithLargeTest();
    edit(area, ["cache", "ref"], (db) =>
      db.exec(`DELETE FROM test_steps WHERE test_id = ${test}; UPDATE tests SET id = 777 WHERE id = ${test};
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${steps - 1})
        INSERT INTO test_steps (id, test_id, stepname, state, status, event_time, last_update)
        SELECT 2000000 + i, 777, 'sample_' || i, 'end', 0, 1, 1 FROM n`),
    );
    edit(area, ["area"], (db) =>
      db.exec(`UPDATE test_steps SET comment = 'only here' WHERE id = ${firstStep + 4_000}`),
    );
    await runReduce(area);
    expect(keptVersions(area, "test_steps", firstStep + 4_000, "comment")).toContain('"only here"');
    expect(completedColumn(area, stepsOf(777))).toEqual([steps]);
    expect(completedColumn(area, stepsOf(test))).toEqual([0]);
  });

  it("joins a moved run with all its steps where it came late", async () => {
    const { area, test } = areaWithLargeTest();
    const late = { run: 2, test: 5000 };
    await runReduce(area, { runname: undefined, runId: [late.run] });
    edit(area, ["cache"], (db) =>
      db.exec(`INSERT INTO tests (id, run_id, testname, item_path, state) VALUES (${late.test}, ${late.run}, 'late', '', 'COMPLETED');
        INSERT INTO test_data (test_id, category, variable) VALUES (${late.test}, 'c', 'v');
        UPDATE test_steps SET test_id = ${late.test} WHERE stepname LIKE 'sample_%'`),
    );
    const { result } = await runReduce(area, { runname: undefined, runId: [99] });
    expect(result).toMatchObject({ late: steps + 2, superseded: 0 });
    expect(completedColumn(area, stepsOf(late.test))).toEqual([steps]);
    expect(readColumn(area.cacheDb, stepsOf(late.test))).toEqual([0]);
    expect(Number(readColumn(area.cacheDb, stepsOf(test))[0])).toBeGreaterThan(0);
  });

  it("joins a moved run with all its steps where another version of its row was kept before", async () => {
    const { area } = areaWithLargeTest();
    const late = { run: 2, test: 5000 };
    await runReduce(area, { runname: undefined, runId: [late.run] });
    // Only the ref has it: it is kept, and is no part of the run.
    edit(area, ["ref"], (db) =>
      db.exec(
        `INSERT INTO tests (id, run_id, testname, item_path, state) VALUES (${late.test}, ${late.run}, 'late', '', 'RUNNING')`,
      ),
    );
    await runReduce(area, { runname: undefined, runId: [99] });
    expect(keptVersions(area, "tests", late.test, "state")).toEqual(['"RUNNING"']);
    edit(area, ["cache"], (db) =>
      db.exec(`INSERT INTO tests (id, run_id, testname, item_path, state) VALUES (${late.test}, ${late.run}, 'late', '', 'COMPLETED');
        UPDATE test_steps SET test_id = ${late.test} WHERE stepname LIKE 'sample_%'`),
    );
    const { result } = await runReduce(area, { runname: undefined, runId: [99] });
    expect(result).toMatchObject({ late: steps + 1, superseded: 0 });
    expect(completedColumn(area, stepsOf(late.test))).toEqual([steps]);
  });
});
