import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { JobsError } from "../../../shared/errors.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  filesOf,
  newArea,
  readColumn,
} from "../../support/area.ts";
import { firstTime, movedIds, runReduce, skippedBy, unionOf } from "../../support/queue.ts";

/** One run with more tests than the first slices take. */
const largeRun = (testsPerRun = 60) =>
  newArea({ runs: 1, inFlight: 0, unsynced: false, testsPerRun, stepsPerTest: 1, dataPerTest: 0 });

const lastTest = (area: SampleArea) =>
  Number(readColumn(area.cacheDb, "SELECT max(id) FROM tests WHERE run_id = 1")[0]);

describe("a run that is removed in several slices", () => {
  it("is copied again whole where its last test was written to after the copy", async () => {
    const area = largeRun();
    const test = lastTest(area);
    const failpoint = firstTime("removing", () =>
      edit(area, ["cache"], (db) => db.exec(`UPDATE tests SET comment = 'meanwhile' WHERE id = ${test}`)),
    );
    const { result } = await runReduce(area, {}, { failpoint });
    expect(result).toMatchObject({ moved: { runs: 1, tests: 60 }, late: 0, superseded: 0, unsynced: 1 });
    expect(completedColumn(area, "SELECT comment FROM tests WHERE id = ?", test)).toEqual(["meanwhile"]);
    // What lost is megatest.db's older version, not what was copied first: that was taken back.
    expect(completedColumn(area, "SELECT source FROM mtjobs_superseded")).toEqual(["area"]);
  });

  it("stays whole if its last test became active after the copy", async () => {
    const area = largeRun();
    const test = lastTest(area);
    const failpoint = firstTime("removing", () =>
      edit(area, ["cache"], (db) =>
        db.exec(
          `UPDATE tests SET state = 'RUNNING', event_time = ${area.now}, run_duration = 0 WHERE id = ${test}`,
        ),
      ),
    );
    const { result } = await runReduce(area, {}, { failpoint });
    expect(skippedBy(result)).toEqual({ 1: "in-flight" });
    expect(readColumn(area.cacheDb, "SELECT count(*) FROM tests WHERE run_id = 1")).toEqual([60]);
    expect(completedColumn(area, "SELECT count(*) FROM tests")).toEqual([0]);
  });

  it("stays whole in ref and megatest.db if its last test became active when others had left the cache", async () => {
    const area = largeRun(300);
    const test = lastTest(area);
    const before = unionOf(area);
    const write = (sql: string) =>
      edit(area, ["cache"], (db) => db.exec(`UPDATE tests SET ${sql} WHERE id = ${test}`));
    const failpoint = firstTime("committed-in-cache", () =>
      write(`state = 'RUNNING', event_time = ${area.now}, run_duration = 0`),
    );
    await runReduce(area, {}, { failpoint });
    const counts = () =>
      [area.cacheDb, area.refDb, area.megatestDb].map((file) =>
        Number(readColumn(file, "SELECT count(*) FROM tests WHERE run_id = 1")[0]),
      );
    const [left, ...others] = counts();
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(300);
    expect(others).toEqual([300, 300]);
    write("state = 'COMPLETED'");
    await runReduce(area);
    expect(counts()).toEqual([0, 0, 0]);
    assertNothingLost(before, unionOf(area), { mayChange: (record) => record.path.includes("tests") });
  });

  it("is left to the next job between two slices when the job is to stop", async () => {
    const area = largeRun(300);
    const before = unionOf(area);
    const stop = new AbortController();
    const failpoint = firstTime("removing", () =>
      stop.abort(new JobsError("stopped", "the worker is stopping")),
    );
    await expect(runReduce(area, {}, { failpoint, signal: stop.signal })).rejects.toMatchObject({
      code: "stopped",
    });
    const left = Number(readColumn(area.cacheDb, "SELECT count(*) FROM tests WHERE run_id = 1")[0]);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(300);
    expect(completedColumn(area, "SELECT state FROM mtjobs_runs")).toEqual(["removing"]);
    expect(movedIds((await runReduce(area)).result)).toEqual([1]);
    assertNothingLost(before, unionOf(area));
  });
});

/** Takes completed-runs.db's lock as soon as the first late row is in it, for longer than SQLite waits. */
const rivalCode = `
  const { workerData, parentPort } = require("node:worker_threads");
  const Database = require("better-sqlite3");
  const db = new Database(workerData, { timeout: 0 });
  const seen = db.prepare("SELECT 1 FROM run_stats WHERE state = 'LATE'");
  const tryUntilTrue = (act) => {
    for (;;) {
      try { if (act()) return; } catch {}
    }
  };
  parentPort.postMessage("ready");
  tryUntilTrue(() => seen.get() !== undefined);
  tryUntilTrue(() => db.exec("BEGIN IMMEDIATE"));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
  db.exec("COMMIT");`;

describe("late rows of several tables", () => {
  it("come once each where completed-runs.db gets busy between their commits", async () => {
    const area = newArea({ runs: 2, inFlight: 0, unsynced: false, testsPerRun: 4 });
    await runReduce(area, { runname: undefined, runId: [1] });
    const test = Number(completedColumn(area, "SELECT min(id) FROM tests WHERE run_id = 1")[0]);
    // Reading the second table takes long enough for the rival to come in between, and less than it stays.
    edit(area, ["cache"], (db) =>
      db.exec(`INSERT INTO run_stats (run_id, state, count) VALUES (1, 'LATE', 1);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
          INSERT INTO extradat (run_id, key, val) SELECT 1, 'late', printf('%2000d', i) FROM n;
        INSERT INTO test_rundat (test_id, update_time) VALUES (${test}, 77)`),
    );
    const rival = new Worker(rivalCode, { eval: true, workerData: filesOf(area).completedDb });
    await new Promise((resolve) => rival.once("message", resolve));
    try {
      const { result } = await runReduce(area, { runname: "no such run" });
      expect(result.late).toBe(3_002);
    } finally {
      await rival.terminate();
    }
    expect(completedColumn(area, "SELECT count(*) FROM run_stats WHERE state = 'LATE'")).toEqual([1]);
    expect(completedColumn(area, "SELECT count(*) FROM extradat WHERE key = 'late'")).toEqual([3_000]);
    expect(completedColumn(area, "SELECT count(*) FROM test_rundat WHERE update_time = 77")).toEqual([1]);
  });
});
