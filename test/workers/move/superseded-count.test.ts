import { afterEach, describe, expect, it } from "vitest";
import type { MoveResult } from "../../../shared/result.ts";
import type { SampleArea } from "../../../shared/sample-area/build-area.ts";
import { changeInMegatestDbOnly } from "../../support/area-traits.ts";
import { edit, makeRefillDue } from "../../support/edit-area.ts";
import { LockHolder } from "../../support/lock-holder.ts";
import { completedColumn } from "../../support/read-rows.ts";
import { type ReduceOptions, runReduce } from "../../support/run-reduce.ts";
import { buildTempArea, filesOf } from "../../support/temp-area.ts";

let reader: LockHolder | undefined;
afterEach(() => reader?.close());

/** A reduce that meets, from the first passing of a step on, a reader of completed-runs.db. */
async function reduceBesideReader(
  area: SampleArea,
  options: ReduceOptions,
  { step, ms }: { step: string; ms: number },
): Promise<MoveResult> {
  const holder = new LockHolder();
  reader = holder;
  let isHeld = false;
  const failpoint = (name: string) => {
    if (name !== step || isHeld) return;
    isHeld = true;
    holder.hold(filesOf(area).completedDb, "reading", ms);
  };
  const { result } = await runReduce(area, options, { failpoint });
  expect(isHeld).toBe(true);
  return result;
}

const kept = (area: SampleArea) => completedColumn(area, "SELECT count(*) FROM mtjobs_superseded");

describe("versions that are kept while somebody reads completed-runs.db", () => {
  it("are counted once each where cache and megatest.db are brought together", async () => {
    const area = buildTempArea({ runs: 3, inFlight: 0, unsynced: false });
    changeInMegatestDbOnly(area, 1, "there");
    makeRefillDue(area);
    const at = { step: "tokens-raised", ms: 300 };
    const { superseded } = await reduceBesideReader(area, { runname: "no such run" }, at);
    expect([superseded, kept(area)]).toEqual([1, [1]]);
  });

  it("are counted once each where runs are copied", async () => {
    const area = buildTempArea({ runs: 3, inFlight: 0, unsynced: false });
    edit(area, ["cache"], (db) => db.exec("UPDATE tests SET comment = 'newer'"));
    edit(area, ["ref", "area"], (db) => db.exec("UPDATE tests SET comment = 'older'"));
    const { superseded } = await reduceBesideReader(area, {}, { step: "late-collected", ms: 1_500 });
    expect([superseded, kept(area)]).toEqual([30, [30]]);
  });
});
