import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import type { MoveResult } from "../../../shared/contract/move-result.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  filesOf,
  newArea,
  readColumn,
  readRows,
} from "../../support/area.ts";
import {
  documentOf,
  movedIds,
  reduceSafely,
  runReduce,
  skippedBy,
  stoppedReduce,
  unionOf,
} from "../../support/queue.ts";

const nothing = { runname: undefined, keep: 1000 };

/** Runs 1 and 2 of three have moved. */
async function movedArea(): Promise<SampleArea> {
  const area = newArea({ runs: 3, inFlight: 0, unsynced: false, testsPerRun: 4 });
  await reduceSafely(area, { runname: undefined, runId: [1, 2] });
  return area;
}

const write = (area: SampleArea, sql: string) => edit(area, ["cache"], (db) => db.exec(sql));

/** A test of run 2 under an id of its own that began just now. */
const running = (area: SampleArea) =>
  `INSERT INTO tests (id, run_id, testname, state, status, event_time, run_duration)
   VALUES (5000, 2, 'again', 'RUNNING', 'n/a', ${area.now}, 0)`;

const ended = "UPDATE tests SET state = 'COMPLETED', status = 'PASS' WHERE id = 5000";

describe("a moved run of which a test is alive again", () => {
  it("is left alone with a warning, and collected once the test has ended", async () => {
    const area = await movedArea();
    write(area, running(area));
    const { result } = await reduceSafely(area, nothing, { losses: { unfinished: true } });
    expect(result).toMatchObject({ late: 0, superseded: 0 });
    expect(result.warnings.join()).toMatch(/active tests: 2;/);
    expect(readColumn(area.cacheDb, "SELECT state FROM tests WHERE id = 5000")).toEqual(["RUNNING"]);
    write(area, ended);
    const { result: next } = await reduceSafely(area, nothing);
    expect(next).toMatchObject({ late: 1, warnings: [] });
    expect(completedColumn(area, "SELECT state FROM tests WHERE id = 5000")).toEqual(["COMPLETED"]);
  });

  it("has a step that came meanwhile collected although the test itself is gone by then", async () => {
    const area = await movedArea();
    const test = Number(completedColumn(area, "SELECT min(id) FROM tests WHERE run_id = 2")[0]);
    // From now on the run is looked at only where something new points at it.
    await runReduce(area, nothing);
    write(
      area,
      `${running(area)}; INSERT INTO test_steps (test_id, stepname, state) VALUES (${test}, 'late', 'end')`,
    );
    await runReduce(area, nothing);
    write(area, "DELETE FROM tests WHERE id = 5000");
    expect((await runReduce(area, nothing)).result.late).toBe(1);
    expect(completedColumn(area, "SELECT test_id FROM test_steps WHERE stepname = 'late'")).toEqual([test]);
  });

  it("is not chosen to be moved once more, although its own row is back", async () => {
    const area = await movedArea();
    const [row] = readRows(filesOf(area).completedDb, "SELECT * FROM runs WHERE id = 2");
    const names = Object.keys(row ?? {});
    edit(area, ["cache"], (db) =>
      db
        .prepare(`INSERT INTO runs (${names.join()}) VALUES (${names.map((name) => `@${name}`).join()})`)
        .run(row ?? {}),
    );
    write(area, running(area));
    const { result } = await runReduce(area);
    expect(movedIds(result)).toEqual([3]);
    expect(result.skipped).toEqual([]);
    expect(readColumn(area.cacheDb, "SELECT id FROM runs WHERE id = 2")).toEqual([2]);
    write(area, ended);
    expect((await reduceSafely(area)).result.late).toBe(1);
    expect(readColumn(area.cacheDb, "SELECT id FROM runs WHERE id = 2")).toEqual([]);
  });

  it("is checked once after its move, and no warning says that a sync kept putting rows back", async () => {
    const area = newArea({ runs: 3, inFlight: 0, unsynced: false, testsPerRun: 4 });
    const failpoint = (name: string) => {
      if (name === "moved") write(area, running(area));
    };
    const { result } = await runReduce(area, {}, { failpoint });
    expect(result.moved.runs).toBe(3);
    expect(result.warnings.join()).toMatch(/active tests: 2;/);
    expect(result.warnings.join()).not.toMatch(/kept putting back/);
    expect(readColumn(area.cacheDb, "SELECT id FROM tests WHERE id = 5000")).toEqual([5000]);
  });
});

describe("late rows that came under ids above the guards", () => {
  it("do not have their ids handed out again once they are with their run", async () => {
    const area = await movedArea();
    write(area, `INSERT INTO tests (id, run_id, testname, state) VALUES (5000, 2, 'late', 'COMPLETED')`);
    await reduceSafely(area, nothing);
    write(area, "INSERT INTO tests (run_id, testname, state) VALUES (3, 'registered next', 'COMPLETED')");
    expect(
      readColumn(area.cacheDb, "SELECT id > 5000 FROM tests WHERE testname = 'registered next'"),
    ).toEqual([1]);
  });
});

describe("a run that becomes active when some of its rows have been removed", () => {
  it("is left as it is, and a later job finishes it", async () => {
    // Larger than the first slices, so that it is cut.
    const area = newArea({ runs: 1, inFlight: 0, unsynced: false, testsPerRun: 60 });
    const before = unionOf(area);
    const paused = await stoppedReduce(area, "committed-in-cache");
    const test = Number(readColumn(area.cacheDb, "SELECT max(id) FROM tests WHERE run_id = 1")[0]);
    const gone = 60 - Number(readColumn(area.cacheDb, "SELECT count(*) FROM tests WHERE run_id = 1")[0]);
    expect(gone).toBeGreaterThan(0);
    write(
      area,
      `UPDATE tests SET state = 'RUNNING', event_time = ${area.now}, run_duration = 0 WHERE id = ${test}`,
    );
    paused.child.kill("SIGCONT");
    const finished = await paused.finished;
    const result = documentOf(finished) as unknown as MoveResult;
    expect(skippedBy(result), finished.stderr).toEqual({ 1: "in-flight" });
    expect(result.warnings.join()).toMatch(/became active while being moved/);
    expect(readColumn(area.cacheDb, "SELECT state FROM tests WHERE id = ?", test)).toEqual(["RUNNING"]);
    expect(skippedBy((await runReduce(area)).result)).toEqual({ 1: "in-flight" });
    write(area, `UPDATE tests SET state = 'COMPLETED' WHERE id = ${test}`);
    expect(movedIds((await runReduce(area)).result)).toEqual([1]);
    assertNothingLost(before, unionOf(area), { mayChange: (record) => record.id === `i:${test}` });
  });
});
