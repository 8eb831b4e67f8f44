import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { edit, everywhere, firstTestOf, newArea, type Place } from "../../support/area.ts";
import { movedIds, reduceSafely, skippedBy } from "../../support/queue.ts";

const day = 86_400;
const age = { age: 30 * day * 1000 };

/** Three runs, all of whose activity is 100 days old or older; every `last_update` in cache and ref alike is a recent one. */
function oldArea(options: { old?: boolean; cacheWal?: boolean; withCache?: boolean } = {}): SampleArea {
  const area = newArea({ runs: 3, inFlight: 0, unsynced: false, testsPerRun: 3, ...options });
  const then = area.now - 100 * day;
  edit(area, everywhere, (db) =>
    db.exec(`UPDATE runs SET event_time = ${then}; UPDATE tests SET event_time = ${then}, run_duration = 60;
      UPDATE test_steps SET event_time = ${then};`),
  );
  return area;
}

function change(area: SampleArea, places: readonly Place[], sql: string): void {
  edit(area, places, (db) => db.exec(sql));
}

const recently = (area: SampleArea) => area.now - 29 * day;

describe("--age", () => {
  it("moves runs whose activity is older, although a sync wrote all their rows just now", async () => {
    const { result } = await reduceSafely(oldArea(), age);
    expect(movedIds(result)).toEqual([1, 2, 3]);
  });

  it.each<[string, (area: SampleArea) => string]>([
    ["the run began", (area) => `UPDATE runs SET event_time = ${recently(area)} WHERE id = 2`],
    [
      "a test began",
      (area) => `UPDATE tests SET event_time = ${recently(area)} WHERE id = ${firstTestOf(area, 2)}`,
    ],
    [
      "a test that began long ago ended",
      (area) => `UPDATE tests SET run_duration = ${71 * day + 60} WHERE id = ${firstTestOf(area, 2)}`,
    ],
    [
      "a step reported",
      (area) =>
        `UPDATE test_steps SET event_time = ${recently(area)} WHERE test_id = ${firstTestOf(area, 2)}`,
    ],
  ])("leaves a run where %s less long ago", async (_, sql) => {
    const area = oldArea();
    change(area, everywhere, sql(area));
    const { result } = await reduceSafely(area, age);
    expect(movedIds(result)).toEqual([1, 3]);
    expect(skippedBy(result)).toEqual({ 2: "recent" });
  });

  it.each<[string, (area: SampleArea) => string]>([
    ["the run", () => "UPDATE runs SET comment = 'judged anew' WHERE id = 2"],
    ["a test", (area) => `UPDATE tests SET comment = 'judged anew' WHERE id = ${firstTestOf(area, 2)}`],
    [
      "a step",
      (area) => `UPDATE test_steps SET comment = 'judged anew' WHERE test_id = ${firstTestOf(area, 2)}`,
    ],
    [
      "a measurement",
      (area) => `UPDATE test_data SET comment = 'judged anew' WHERE test_id = ${firstTestOf(area, 2)}`,
    ],
  ])("leaves a run where %s was written in the cache since the last sync", async (_, sql) => {
    const area = oldArea();
    change(area, ["cache"], sql(area));
    const { result } = await reduceSafely(area, age);
    expect(movedIds(result)).toEqual([1, 3]);
    expect(skippedBy(result)).toEqual({ 2: "recent" });
  });

  it("leaves a run of which the ref has nothing yet and whose rows say that they were written just now", async () => {
    const area = oldArea();
    change(area, ["ref", "area"], "DELETE FROM tests WHERE run_id = 2; DELETE FROM runs WHERE id = 2");
    change(area, ["cache"], "UPDATE runs SET comment = 'new' WHERE id = 2");
    expect(skippedBy((await reduceSafely(area, age)).result)).toEqual({ 2: "recent" });
  });

  it("goes by last_update only where it is later than the age asked for", async () => {
    const area = oldArea();
    const test = firstTestOf(area, 2);
    change(
      area,
      ["cache"],
      `DROP TRIGGER update_tests_trigger;
       UPDATE tests SET comment = 'judged anew', last_update = ${area.now - 31 * day} WHERE id = ${test}`,
    );
    expect(movedIds((await reduceSafely(area, age)).result)).toEqual([1, 2, 3]);
  });

  it("takes a test's activity from megatest.db where the cache lacks the test", async () => {
    const area = oldArea();
    change(
      area,
      ["area"],
      `INSERT INTO tests (run_id, testname, state, status, event_time) VALUES (2, 'there', 'COMPLETED', 'PASS', ${recently(area)})`,
    );
    expect(skippedBy((await reduceSafely(area, age)).result)).toEqual({ 2: "recent" });
  });

  it("is counted in the same way without a cache, where last_update says nothing", async () => {
    const area = oldArea({ withCache: false });
    change(
      area,
      ["area"],
      `UPDATE test_steps SET event_time = ${recently(area)} WHERE test_id IN (SELECT id FROM tests WHERE run_id = 3)`,
    );
    const { result } = await reduceSafely(area, age);
    expect(movedIds(result)).toEqual([1, 2]);
    expect(skippedBy(result)).toEqual({ 3: "recent" });
  });

  it("is counted in the same way in a database without last_update", async () => {
    const area = oldArea({ old: true });
    change(area, everywhere, `UPDATE tests SET event_time = ${recently(area)} WHERE run_id = 1`);
    expect(skippedBy((await reduceSafely(area, age)).result)).toEqual({ 1: "recent" });
  });

  it("holds a locked run back as locked and a running one as in flight, whatever their age", async () => {
    const area = oldArea();
    change(
      area,
      everywhere,
      `UPDATE runs SET state = 'locked' WHERE id = 1;
      UPDATE tests SET state = 'RUNNING', event_time = ${area.now - 60} WHERE id = ${firstTestOf(area, 2)}`,
    );
    expect(skippedBy((await reduceSafely(area, age)).result)).toEqual({ 1: "locked", 2: "in-flight" });
  });
});
