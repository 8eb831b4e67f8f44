import { expect, test } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { JobsError } from "../../../shared/errors.ts";
import { edit, newArea } from "../../support/area.ts";
import { historyOf, runReduce, runRestore } from "../../support/queue.ts";

/** Of every line of the history: runs of megatest.db and of completed-runs.db. */
const counts = (area: SampleArea) =>
  (historyOf(area) as unknown as { sides: Record<string, { runs: number }> }[]).map(({ sides }) => [
    sides["megatest.db"]?.runs,
    sides["completed-runs.db"]?.runs,
  ]);

test("the history tells after each job how many runs each side has, those that guard ids and hidden ones left out", async () => {
  const area = newArea({ runs: 5, testsPerRun: 2, inFlight: 0, unsynced: false });
  edit(area, ["area", "cache", "ref"], (db) => db.exec("UPDATE runs SET state = 'deleted' WHERE id = 5"));
  await runReduce(area, { runId: [1, 2, 3] });
  await runRestore(area, { runId: [2] });
  await runReduce(area, { runId: [4] });
  expect(counts(area)).toEqual([
    [1, 3],
    [2, 2],
    [1, 3],
  ]);
});

test("the history of a job that was cancelled while it removed a run counts that run once, where it stands for", async () => {
  const area = newArea({ runs: 3, testsPerRun: 900, inFlight: 0, stepsPerTest: 0, dataPerTest: 0 });
  const abort = new AbortController();
  const failpoint = (step: string) => {
    if (step === "removed-from-cache") abort.abort(new JobsError("cancelled", "asked to"));
  };
  const ended = runReduce(area, {}, { failpoint, signal: abort.signal });
  await expect(ended).rejects.toMatchObject({ code: "cancelled" });
  const [[left = 0, there = 0] = []] = counts(area);
  expect(there).toBeGreaterThan(0);
  expect(left + there).toBe(3);
});
