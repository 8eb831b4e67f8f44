import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { JobsError } from "../../../shared/errors.ts";
import type { FailpointName } from "../../../workers/area-db/failpoint-names.ts";
import {
  cleanUp,
  completedColumn,
  edit,
  everywhere,
  newArea,
  openClient,
  readColumn,
  settleTimes,
} from "../../support/area.ts";
import { firstTime, runReduce } from "../../support/queue.ts";

const newest = 4;

/** The clean-up removes the guards; a new run gets the id of the newest one, with one test of so many steps. */
function registerAnew(area: SampleArea, steps: number): void {
  cleanUp([area.cacheDb, area.refDb, area.megatestDb]);
  const client = openClient(area.cacheDb);
  const run = client.registerRun({ sysname: "ubuntu", fsname: "nfs", datapath: "none" }, "brandnew");
  expect(Number(run)).toBe(newest);
  const test = client.registerTest(run, "fresh");
  client.setState(test, "COMPLETED", "PASS");
  client.close();
  edit(area, ["cache"], (db) => {
    const add = db.prepare(
      "INSERT INTO test_steps (test_id, stepname, state, status) VALUES (?, ?, 'end', '0')",
    );
    for (let step = 0; step < steps; step++) add.run(Number(test), `new${step}`);
  });
  settleTimes(area);
}

const ownId =
  "INSERT INTO tests (id, run_id, testname, item_path, state) VALUES (500, 3, 'high', '', 'COMPLETED')";

describe("a test of a new run under the id of a moved one stays with all its steps", () => {
  it.each([
    [10, "under a moved test's id", ""],
    [2_500, "under a moved test's id", ""],
    [10, "under an id of its own", ownId],
    [2_500, "under an id of its own", ownId],
  ] as const)("%i steps, %s", async (steps, _, before) => {
    for (const step of ["removed-from-area", "moved"] satisfies FailpointName[]) {
      const area = newArea({ runs: newest, inFlight: 0, unsynced: false });
      edit(area, everywhere, (db) => db.exec(before));
      const failpoint = firstTime(step, () => {
        if (step === "removed-from-area") throw new JobsError("stopped", "died");
        registerAnew(area, steps);
      });
      const job = runReduce(area, { runname: undefined, runId: [newest] }, { failpoint });
      if (step === "removed-from-area") {
        await expect(job).rejects.toThrow("died");
        registerAnew(area, steps);
      } else await job;
      await runReduce(area, { runname: undefined, runId: [99] });
      const ofNew = "FROM tests JOIN runs ON runs.id = run_id WHERE runname = 'brandnew'";
      expect(readColumn(area.cacheDb, `SELECT testname ${ofNew}`), step).toEqual(["fresh"]);
      const stepsOfNew = `SELECT count(*) FROM test_steps WHERE test_id IN (SELECT tests.id ${ofNew})`;
      expect(readColumn(area.cacheDb, stepsOfNew), step).toEqual([steps]);
      const taken = "SELECT count(*) FROM test_steps WHERE stepname LIKE 'new%'";
      expect(completedColumn(area, taken), step).toEqual([0]);
    }
  });
});
