import { rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { parsePayload } from "../../../shared/contract/payload.ts";
import { judgeRun } from "../../../workers/move/select/eligibility.ts";
import {
  addPrereqFailedTest,
  addRunningTest,
  deleteRun,
  edit,
  everywhere,
  firstTestOf,
  lockRun,
  newArea,
} from "../../support/area.ts";
import { movedIds, reduceSafely, skippedBy } from "../../support/queue.ts";

const hour = 3600;
const day = 24 * hour;

/** Four runs, all finished long ago, the same in every database. */
function finishedArea(): SampleArea {
  return newArea({ runs: 4, inFlight: 0, unsynced: false });
}

/** Sets columns of a run's first test in every database. */
function setTest(area: SampleArea, runId: number, changes: string): number {
  const id = firstTestOf(area, runId);
  edit(area, everywhere, (db) => db.prepare(`UPDATE tests SET ${changes} WHERE id = ?`).run(id));
  return id;
}

describe("a run with unfinished tests", () => {
  it.each(["NOT_STARTED", "LAUNCHED", "REMOTEHOSTSTART", "RUNNING", "KILLREQ", "A_STATE_OF_TOMORROW"])(
    "stays in flight where a test is %s and gave a sign of life an hour ago",
    async (state) => {
      const area = finishedArea();
      setTest(
        area,
        2,
        `state = '${state}', status = 'n/a', event_time = ${area.now - hour}, run_duration = 0`,
      );
      const { result } = await reduceSafely(area);
      expect(movedIds(result)).toEqual([1, 3, 4]);
      expect(skippedBy(result)).toEqual({ 2: "in-flight" });
      expect(result.skippedCounts).toEqual({ "in-flight": 1 });
    },
  );

  it.each(["COMPLETED", "KILLED", "STUCK", "INCOMPLETE", "ARCHIVED", "DEAD", "UNKNOWN", "DELETED"])(
    "moves where the test ended as %s a moment ago",
    async (state) => {
      const area = finishedArea();
      setTest(area, 2, `state = '${state}', event_time = ${area.now - 5}`);
      const { result } = await reduceSafely(area);
      expect(movedIds(result)).toEqual([1, 2, 3, 4]);
      expect(result.warnings).toEqual([]);
    },
  );

  it.each(["PREQ_FAIL", "PREQ_DISCARDED", "BLOCKED", "ZERO_ITEMS", "TIMED_OUT", "TEN_STRIKES"])(
    "moves where a test that never started has the status %s",
    async (status) => {
      const area = finishedArea();
      setTest(area, 2, `state = 'NOT_STARTED', status = '${status}', event_time = ${area.now - 5}`);
      expect(movedIds((await reduceSafely(area)).result)).toEqual([1, 2, 3, 4]);
    },
  );

  it("moves with a test whose prerequisites failed, as the trait of an area has it", async () => {
    const area = finishedArea();
    addPrereqFailedTest(area, 3);
    expect(movedIds((await reduceSafely(area)).result)).toEqual([1, 2, 3, 4]);
  });

  it("stays for a running test although its status is one that ends a test that never started", async () => {
    const area = finishedArea();
    setTest(area, 2, `state = 'RUNNING', status = 'PREQ_FAIL', event_time = ${area.now - 5}`);
    expect(skippedBy((await reduceSafely(area)).result)).toEqual({ 2: "in-flight" });
  });

  it("stays for the given id too, for every user", async () => {
    const area = finishedArea();
    addRunningTest(area, 2, hour);
    const { result } = await reduceSafely(area, { runname: undefined, runId: [2] });
    expect(result.moved.runs).toBe(0);
    expect(skippedBy(result)).toEqual({ 2: "in-flight" });
  });

  it("moves with a warning once its test is silent for longer than a day", async () => {
    const area = finishedArea();
    addRunningTest(area, 2, day + hour);
    const { result } = await reduceSafely(area);
    expect(movedIds(result)).toEqual([1, 2, 3, 4]);
    expect(result.warnings).toHaveLength(1);
    expect(result.warnings[0]).toMatch(/^run 2 .*1 unfinished/);
  });

  it("is judged by the time after which the caller takes a silent test for dead", async () => {
    const area = finishedArea();
    addRunningTest(area, 2, 3 * hour);
    expect(skippedBy((await reduceSafely(area, { deadAfter: 4 * hour * 1000 })).result)).toEqual({
      2: "in-flight",
    });
    const { result } = await reduceSafely(area, { deadAfter: 2 * hour * 1000 });
    expect(movedIds(result)).toEqual([2]);
    expect(result.warnings[0]).toMatch(/^run 2 /);
  });

  it("stays where only the duration of the running test tells that it is alive", async () => {
    const area = finishedArea();
    setTest(area, 2, `state = 'RUNNING', event_time = ${area.now - 3 * day}, run_duration = ${3 * day - 60}`);
    expect(skippedBy((await reduceSafely(area)).result)).toEqual({ 2: "in-flight" });
  });

  it("stays where only a step of the running test is recent", async () => {
    const area = finishedArea();
    const test = setTest(area, 2, `state = 'RUNNING', event_time = ${area.now - 3 * day}, run_duration = 0`);
    edit(area, everywhere, (db) =>
      db.prepare("UPDATE test_steps SET event_time = ? WHERE test_id = ?").run(area.now - 60, test),
    );
    expect(skippedBy((await reduceSafely(area)).result)).toEqual({ 2: "in-flight" });
  });

  it("stays where a write to the running test is not synced yet, whatever its times say", async () => {
    const area = finishedArea();
    const test = setTest(area, 2, `state = 'RUNNING', event_time = ${area.now - 3 * day}, run_duration = 0`);
    edit(area, ["cache"], (db) => db.prepare("UPDATE tests SET cpuload = 7 WHERE id = ?").run(test));
    expect(skippedBy((await reduceSafely(area)).result)).toEqual({ 2: "in-flight" });
  });

  it("stays where the cache alone has the test that runs", async () => {
    const area = finishedArea();
    edit(area, ["cache"], (db) =>
      db
        .prepare(
          "INSERT INTO tests (run_id, testname, state, uname, event_time) VALUES (2, 'fresh', 'LAUNCHED', 'x', ?)",
        )
        .run(area.now - 60),
    );
    expect(skippedBy((await reduceSafely(area)).result)).toEqual({ 2: "in-flight" });
  });
});

describe("the toplevel test of an itemized test", () => {
  const unfinished = (area: SampleArea) =>
    `state = 'RUNNING', event_time = ${area.now - hour}, run_duration = 0`;

  it("holds its run back no more than Megatest counts it as running", async () => {
    const area = finishedArea();
    edit(area, everywhere, (db) =>
      db.exec(`UPDATE tests SET ${unfinished(area)} WHERE run_id = 2 AND uname = 'n/a' AND item_path = ''`),
    );
    expect(movedIds((await reduceSafely(area)).result)).toEqual([1, 2, 3, 4]);
  });

  it("is told from a test without items that has not reported its system yet", async () => {
    const area = finishedArea();
    edit(area, everywhere, (db) => {
      db.exec(`INSERT INTO tests (id, run_id, testname, uname, item_path, state, event_time)
        VALUES (9000, 2, 'plain', 'n/a', '', 'LAUNCHED', ${area.now - hour})`);
    });
    expect(skippedBy((await reduceSafely(area)).result)).toEqual({ 2: "in-flight" });
  });

  it("does not free a run whose item is still running", async () => {
    const area = finishedArea();
    edit(area, everywhere, (db) =>
      db.exec(
        `UPDATE tests SET ${unfinished(area)} WHERE id = (SELECT max(id) FROM tests WHERE run_id = 2 AND item_path <> '')`,
      ),
    );
    expect(skippedBy((await reduceSafely(area)).result)).toEqual({ 2: "in-flight" });
  });
});

describe("a run that was protected or hidden", () => {
  it("stays and is reported where it is locked", async () => {
    const area = finishedArea();
    lockRun(area, 3);
    const { result } = await reduceSafely(area);
    expect(movedIds(result)).toEqual([1, 2, 4]);
    expect(skippedBy(result)).toEqual({ 3: "locked" });
  });

  it("moves although locked where the caller includes locked runs", async () => {
    const area = finishedArea();
    lockRun(area, 3);
    expect(movedIds((await reduceSafely(area, { includeLocked: true })).result)).toEqual([1, 2, 3, 4]);
  });

  it("stays unreported where it is deleted, even when asked for by its id", async () => {
    const area = finishedArea();
    deleteRun(area, 3);
    expect((await reduceSafely(area, { runname: undefined, runId: [3] })).result).toMatchObject({
      moved: { runs: 0 },
      skipped: [],
    });
    const { result } = await reduceSafely(area, { includeLocked: true });
    expect(movedIds(result)).toEqual([1, 2, 4]);
    expect(result.skipped).toEqual([]);
  });

  it("stays where only the cache says so yet", async () => {
    const area = finishedArea();
    edit(area, ["cache"], (db) => {
      db.exec("UPDATE runs SET state = 'locked' WHERE id = 1");
      db.exec("UPDATE runs SET state = 'deleted' WHERE id = 2");
    });
    const { result } = await reduceSafely(area);
    expect(movedIds(result)).toEqual([3, 4]);
    expect(skippedBy(result)).toEqual({ 1: "locked" });
  });

  it("stays where the lock was set in megatest.db after the last sync", async () => {
    const area = finishedArea();
    edit(area, ["area"], (db) => db.exec("UPDATE runs SET state = 'locked' WHERE id = 1"));
    const { result } = await reduceSafely(area);
    expect(movedIds(result)).toEqual([2, 3, 4]);
    expect(skippedBy(result)).toEqual({ 1: "locked" });
  });
});

describe("a run without a name", () => {
  it("moves like any other", async () => {
    const area = finishedArea();
    edit(area, everywhere, (db) => db.exec("UPDATE runs SET runname = '' WHERE id = 2"));
    expect(movedIds((await reduceSafely(area)).result)).toEqual([1, 2, 3, 4]);
  });
});

describe("a cache without a ref", () => {
  it("holds back a run of which a test runs, and no other: nothing tells what a client wrote last", async () => {
    const area = finishedArea();
    addRunningTest(area, 2, hour);
    rmSync(area.refDb);
    const { result } = await reduceSafely(area);
    expect(movedIds(result)).toEqual([1, 3, 4]);
    expect(skippedBy(result)).toEqual({ 2: "in-flight" });
  });
});

describe("the second at which a run may move", () => {
  const run = {
    id: 1n,
    target: "t",
    runname: "r",
    state: "new",
    exists: true,
    activity: 1_000,
    unfinished: undefined,
    unfinishedTests: 0,
    oddTime: undefined,
  };
  const payload = parsePayload("reduce", { v: 1, area: "/a", runname: "%", age: 60_000, deadAfter: 60_000 });

  it("is the one at which its last activity is as old as was asked for", () => {
    expect(judgeRun(run, payload, 1_059_999)).toBe("recent");
    expect(judgeRun(run, payload, 1_060_000)).toBeUndefined();
  });

  it("is the one after that at which its unfinished test is as silent as a dead one", () => {
    const alive = { ...run, activity: 0, unfinished: 1_000, unfinishedTests: 1 };
    expect(judgeRun(alive, payload, 1_060_000)).toBe("in-flight");
    expect(judgeRun(alive, payload, 1_060_001)).toBeUndefined();
  });
});
