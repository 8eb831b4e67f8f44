import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { completedColumn, edit, firstTestOf, newArea } from "../../support/area.ts";
import { movedIds, reduceSafely, runReduce, runRestore } from "../../support/queue.ts";

/** Any string may be the id of a job: BullMQ forbids none of these. */
const hostile = [
  "o'brien",
  "'",
  "x') OR ('1' = '1",
  "x' OR '1' = '1",
  "x'; DROP TABLE runs; --",
  '"; `$(id)` \\ %',
  "名前 \n\t \u{1f4a9}",
];

function agreedArea(): SampleArea {
  return newArea({ runs: 3, inFlight: 0, unsynced: false, testsPerRun: 4 });
}

describe("a job whose id is made of quotes and SQL", () => {
  it.each(hostile)("moves its runs and brings them back: %j", async (jobId) => {
    const area = agreedArea();
    const { result } = await reduceSafely(area, {}, { jobId });
    expect(movedIds(result)).toEqual([1, 2, 3]);
    expect(completedColumn(area, "SELECT DISTINCT job_id FROM mtjobs_runs")).toEqual([jobId]);
    expect((await runRestore(area, {}, { jobId: `${jobId}-2` })).result.moved.runs).toBe(3);
  });

  it.each(hostile)(
    "takes a value that lost once and was written to the cache anew for a new one: %j",
    async (jobId) => {
      const area = agreedArea();
      const id = firstTestOf(area, 2);
      const set = (comment: string) => `UPDATE tests SET comment = '${comment}' WHERE id = ${id}`;
      edit(area, ["area"], (db) => db.exec(set("older")));
      edit(area, ["cache"], (db) => db.exec(set("newer")));
      let written = false;
      const failpoint = (step: string) => {
        if (step !== "removing" || written) return;
        written = true;
        edit(area, ["cache"], (db) => db.exec(set("older")));
      };
      await runReduce(area, {}, { failpoint, jobId });
      expect(completedColumn(area, "SELECT comment FROM tests WHERE id = ?", id)).toEqual(["older"]);
    },
  );
});
