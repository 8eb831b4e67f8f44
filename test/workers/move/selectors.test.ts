import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { edit, everywhere, newArea } from "../../support/area.ts";
import { movedIds, type ReduceOptions, reduceSafely, runReduce, skippedBy } from "../../support/queue.ts";

/** Six runs on two targets, with names, states and statuses that patterns can tell apart; 6 is the newest. */
function namedArea(): SampleArea {
  const area = newArea({ runs: 6, inFlight: 0, unsynced: false, testsPerRun: 2 });
  const rows = [
    [1, "ubuntu", "w49.1", "COMPLETED", "PASS"],
    [2, "ubuntu", "w49.2", "COMPLETED", "FAIL"],
    [3, "ubuntu", "W50.1", "COMPLETED", "PASS"],
    [4, "debian", "w49_x", "ABORTED", "PASS"],
    [5, "debian", "w5*", "COMPLETED", "WARN"],
    [6, "debian", "nightly", "COMPLETED", "PASS"],
  ] as const;
  edit(area, everywhere, (db) => {
    const set = db.prepare(
      "UPDATE runs SET sysname = ?, fsname = 'nfs', datapath = 'none', runname = ?, state = ?, status = ?, event_time = ? WHERE id = ?",
    );
    for (const [id, system, name, state, status] of rows) {
      set.run(system, name, state, status, area.now - 86_400 * (70 - id), id);
    }
  });
  return area;
}

/** What a reduce with these selectors alone would move. */
async function chosen(area: SampleArea, selectors: ReduceOptions): Promise<number[]> {
  const { result } = await runReduce(area, { runname: undefined, dryRun: true, ...selectors });
  return movedIds(result);
}

describe("patterns", () => {
  it.each<[string, ReduceOptions, number[]]>([
    ["a per cent sign makes a name a LIKE, which knows no case", { runname: "w%" }, [1, 2, 3, 4, 5]],
    ["in a LIKE an underscore stands for any character", { runname: "w49_%" }, [1, 2, 4]],
    ["a name without a per cent sign is a GLOB, which knows case", { runname: "w*" }, [1, 2, 4, 5]],
    ["in a GLOB an underscore is one", { runname: "w49_?" }, [4]],
    ["a GLOB without wildcards is the name itself", { runname: "w49.1" }, [1]],
    ["a GLOB's set takes a star literally", { runname: "w5[*]" }, [5]],
    ["commas separate alternatives of either kind", { runname: "w49.1, night% ,W5?.1" }, [1, 3, 6]],
    ["an empty alternative matches nothing", { runname: "w49.1,," }, [1]],
    ["commas alone match nothing", { runname: "," }, []],
    ["a target is its key values joined by strokes", { target: "ubuntu/nfs/none" }, [1, 2, 3]],
    ["a target's LIKE crosses strokes", { target: "deb%none" }, [4, 5, 6]],
    ["a target's GLOB crosses strokes too", { target: "*/nfs/*" }, [1, 2, 3, 4, 5, 6]],
    ["states are a list", { state: "ABORTED,NEVER" }, [4]],
    ["a state may be a pattern", { state: "COMP%" }, [1, 2, 3, 5, 6]],
    ["statuses are a list", { status: "FAIL,WARN" }, [2, 5]],
    ["ids are a list", { runId: [6, 1, 777] }, [1, 6]],
    ["all that is given must match", { target: "ubuntu/%", status: "PASS", runId: [1, 2, 3, 4] }, [1, 3]],
    ["quotes in a pattern are only characters", { runname: "'; DROP TABLE runs; --%" }, []],
  ])("%s", async (_, selectors, ids) => {
    expect(await chosen(namedArea(), selectors)).toEqual(ids);
  });
});

describe("--keep", () => {
  it("leaves the newest runs of each target, by the time they began, and reports them", async () => {
    const area = namedArea();
    const { result } = await reduceSafely(area, { keep: 2 });
    expect(movedIds(result)).toEqual([1, 4]);
    expect(skippedBy(result)).toEqual({ 2: "kept", 3: "kept", 5: "kept", 6: "kept" });
    expect(result.skippedCounts).toEqual({ kept: 4 });
  });

  it("counts only runs that match, and goes by the time and not by the id", async () => {
    const area = namedArea();
    edit(area, everywhere, (db) => db.exec(`UPDATE runs SET event_time = ${area.now - 86_400} WHERE id = 1`));
    const { result } = await reduceSafely(area, { runname: undefined, target: "ubuntu/%", keep: 1 });
    expect(movedIds(result)).toEqual([2, 3]);
    expect(skippedBy(result)).toEqual({ 1: "kept" });
  });

  it("of no runs leaves none", async () => {
    expect((await reduceSafely(namedArea(), { keep: 0 })).result.moved.runs).toBe(6);
  });

  it("counts a run that is hidden as none", async () => {
    const area = namedArea();
    edit(area, everywhere, (db) => db.exec("UPDATE runs SET state = 'deleted' WHERE id = 6"));
    expect(skippedBy((await reduceSafely(area, { keep: 1 })).result)).toEqual({ 3: "kept", 5: "kept" });
  });
});

describe("an area without target keys", () => {
  it("has one empty target and is reduced by run names", async () => {
    const area = newArea({ keys: [], runs: 3, inFlight: 0 });
    const { result } = await reduceSafely(area, { keep: 1 });
    expect(movedIds(result)).toEqual([1, 2]);
    expect(result.runs[0]?.target).toBe("");
    expect(skippedBy(result)).toEqual({ 3: "kept" });
  });
});
