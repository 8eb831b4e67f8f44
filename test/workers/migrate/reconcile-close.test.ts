import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { transact } from "../../../workers/area-db/transaction.ts";
import { gapAbove, writeGap } from "../../../workers/migrate/pair/id-gap.ts";
import { reconcileAfterClose, reconcileBeforeClose } from "../../../workers/migrate/steps/close.ts";
import {
  addRunIn,
  addTestIn,
  assertNothingLost,
  changeInCacheOnly,
  changeInMegatestDbOnly,
  firstTestOf,
  keptVersions,
  newArea,
  readColumn,
  refill,
  syncOnce,
} from "../../support/area.ts";
import { closePart } from "../../support/hosts.ts";
import { unionOf, withMove } from "../../support/queue.ts";

const mark = { token: 1, movedTo: "host-b", closedAt: 5 };

const comments = (area: SampleArea, id: number) =>
  [area.cacheDb, area.refDb, area.megatestDb].map(
    (file) => readColumn(file, "SELECT comment FROM tests WHERE id = ?", id)[0],
  );

describe("before a pair is closed", () => {
  it.each([{ syncsLastUpdate: false }, { syncsLastUpdate: true }])(
    "what either side alone has, or has newer, reaches the other, no refill being due, with $syncsLastUpdate",
    async (kind) => {
      const area = newArea({ runs: 6, ...kind });
      const here = addRunIn(area, ["cache"], "run here");
      const there = addTestIn(area, ["area"], 3, "there");
      changeInMegatestDbOnly(area, 1, "newer there");
      changeInCacheOnly(area, 4, "newer here");
      const before = unionOf(area);
      const rows = await withMove(area, async (session) => {
        const found = await reconcileBeforeClose(session);
        expect(await reconcileBeforeClose(session)).toBe(0);
        return found;
      });
      expect(rows).toBeGreaterThan(3);
      expect(comments(area, firstTestOf(area, 1))).toEqual(["newer there", "newer there", "newer there"]);
      expect(comments(area, firstTestOf(area, 4))).toEqual(["newer here", "newer here", "newer here"]);
      expect(keptVersions(area, "tests", firstTestOf(area, 1), "comment")).toHaveLength(1);
      expect(readColumn(area.megatestDb, "SELECT id FROM runs WHERE id = ?", here)).toEqual([here]);
      expect(readColumn(area.cacheDb, "SELECT id FROM tests WHERE id = ?", there)).toEqual([there]);
      expect({ ...(await syncOnce(area, { quietMs: 0 })).rows, ...(await refill(area)) }).toEqual({});
      assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
    },
  );

  it("the rows of a gap stay out of megatest.db", async () => {
    const area = newArea({ runs: 3 });
    await withMove(area, async (session) => {
      transact(session.db, () =>
        writeGap(session.db, gapAbove(session.db, session.sources), ["cache", "ref"]),
      );
      await reconcileBeforeClose(session);
    });
    expect(readColumn(area.megatestDb, "SELECT max(id) FROM runs")).toEqual([3]);
  });
});

describe("once the cache is closed", () => {
  it("what a client wrote last reaches megatest.db and the ref, and nothing is written to the cache", async () => {
    const area = newArea({ runs: 6 });
    await withMove(area, async (session) => {
      await reconcileBeforeClose(session);
      changeInCacheOnly(area, 4, "the last word");
      addTestIn(area, ["cache"], 2, "the last row");
      changeInMegatestDbOnly(area, 1, "by hand");
      const before = unionOf(area);
      closePart(session.db, "cache", mark, session.token);
      expect(await reconcileAfterClose(session)).toBeGreaterThan(1);
      expect(await reconcileAfterClose(session)).toBe(0);
      assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
    });
    expect(comments(area, firstTestOf(area, 4))).toEqual(["the last word", "the last word", "the last word"]);
    expect(comments(area, firstTestOf(area, 1)).at(-1)).toBe("by hand");
  });
});
