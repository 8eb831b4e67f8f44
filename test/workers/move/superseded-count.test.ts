import { afterEach, describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { resultText } from "../../../producers/format/move-result.ts";
import type { MoveResult } from "../../../shared/contract/move-result.ts";
import {
  changeInCacheOnly,
  changeInMegatestDbOnly,
  completedColumn,
  edit,
  filesOf,
  makeRefillDue,
  newArea,
} from "../../support/area.ts";
import { LockHolder, type ReduceOptions, runReduce } from "../../support/queue.ts";

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
    const area = newArea({ runs: 3, inFlight: 0, unsynced: false });
    changeInMegatestDbOnly(area, 1, "there");
    makeRefillDue(area);
    const at = { step: "tokens-raised", ms: 300 };
    const { superseded } = await reduceBesideReader(area, { runname: "no such run" }, at);
    expect([superseded, kept(area)]).toEqual([1, [1]]);
  });

  it("are counted once each where runs are copied", async () => {
    const area = newArea({ runs: 3, inFlight: 0, unsynced: false });
    edit(area, ["cache"], (db) => db.exec("UPDATE tests SET comment = 'newer'"));
    edit(area, ["ref", "area"], (db) => db.exec("UPDATE tests SET comment = 'older'"));
    const result = await reduceBesideReader(area, {}, { step: "late-collected", ms: 1_500 });
    expect(result).toMatchObject({ superseded: 0, unsynced: 30 });
    expect(kept(area)).toEqual([30]);
  });
});

describe("a row that was only not synced yet", () => {
  it("is no conflict: it is counted as what it is, beside the one row that was changed in two places", async () => {
    const area = newArea({ runs: 3, inFlight: 0, unsynced: false });
    changeInCacheOnly(area, 1);
    changeInCacheOnly(area, 2);
    const set = (comment: string) =>
      `UPDATE tests SET comment = '${comment}' WHERE id = (SELECT max(id) FROM tests WHERE run_id = 3)`;
    edit(area, ["cache"], (db) => db.exec(set("here")));
    edit(area, ["area"], (db) => db.exec(set("there")));
    const { result } = await runReduce(area);
    // Of the row that was changed twice, what both once agreed on is kept from the ref.
    expect(result).toMatchObject({ superseded: 1, unsynced: 3 });
    expect(resultText(result)).toContain(
      "\n1 other version of rows kept in completed-runs.db\n3 older values of",
    );
  });

  it("is not reported as a conflict if there is none", async () => {
    const area = newArea({ runs: 3, inFlight: 0, unsynced: false });
    changeInCacheOnly(area, 1);
    makeRefillDue(area);
    const text = resultText((await runReduce(area)).result);
    expect(text).not.toContain("superseded");
    expect(text).toContain("1 older value of unsynced rows kept");
  });
});
