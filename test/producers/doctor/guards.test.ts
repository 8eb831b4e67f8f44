import { describe, expect, it } from "vitest";
import {
  checkOf,
  cleanUp,
  diagnoseArea,
  edit,
  everywhere,
  faultsOf,
  fileOf,
  fingerprint,
  healthyArea,
  removeRuns,
  settleTimes,
} from "../../support/area.ts";
import { reduceSafely, runRepair } from "../../support/queue.ts";

const names = ["guards/megatest.db", "guards/cache/megatest.db", "guards/cache/megatest_ref.db"];

async function reducedArea() {
  const area = healthyArea();
  await reduceSafely(area, { runname: undefined, runId: [1, 2] });
  settleTimes(area);
  return area;
}

describe("the doctor on the rows that guard ids", () => {
  it("says that they are gone as soon as a -cleanup-db has removed them, and its remedy puts them back", async () => {
    const area = await reducedArea();
    for (const name of names) expect(checkOf(await diagnoseArea(area), name).ok).toBe(true);
    cleanUp(everywhere.map((place) => fileOf(area, place)));
    settleTimes(area);
    const before = fingerprint(area.directory, area.cacheRoot);
    const found = await diagnoseArea(area);
    expect(fingerprint(area.directory, area.cacheRoot)).toEqual(before);
    expect(faultsOf(found)).toEqual(names);
    expect(checkOf(found, "guards/megatest.db")).toMatchObject({
      verdict: "no row guards the ids of runs, tests: Megatest may reuse ids of moved records",
      remedy: expect.stringContaining("mtjobs doctor --repair"),
      details: { missing: ["runs", "tests"] },
    });
    await runRepair(area);
    settleTimes(area);
    expect(faultsOf(await diagnoseArea(area))).toEqual([]);
  });

  it("knows those of an earlier version, which a -remove-runs deletes, and says when it has", async () => {
    const area = await reducedArea();
    edit(area, everywhere, (db) =>
      db.exec("UPDATE tests SET event_time = 0 WHERE testname = 'mtjobs-id-guard'"),
    );
    const old = await diagnoseArea(area);
    expect(checkOf(old, "guards/cache/megatest.db")).toMatchObject({
      ok: null,
      verdict: expect.stringContaining(
        "was written by an earlier version; Megatest's -remove-runs deletes it",
      ),
    });
    expect(faultsOf(old)).toEqual([]);
    removeRuns(area.cacheDb, []);
    settleTimes(area);
    expect(faultsOf(await diagnoseArea(area))).toEqual(["guards/cache/megatest.db"]);
  });

  it("requires none if no run has moved", async () => {
    const area = healthyArea();
    await reduceSafely(area, { runname: "none" });
    settleTimes(area);
    expect(checkOf(await diagnoseArea(area), "guards/megatest.db")).toMatchObject({
      ok: true,
      verdict: "no run has moved: no ids need a guard",
    });
  });
});
