import { describe, expect, it } from "vitest";
import type { HistoryPoint } from "../../../../producers/contract/area.ts";
import { sizeLines, timeRange } from "../../../../producers/server/page/area/size-lines.ts";

const both = (megatest: number | null, completed: number | null) => ({
  "megatest.db": megatest,
  "completed-runs.db": completed,
});

const point = (at: number, when: "before" | "after", sizes: number, runs: number | null): HistoryPoint => ({
  ...{ at, when, jobId: `j${at}`, job: "reduce" },
  ...{ bytes: both(sizes, 1000 - sizes), runs: both(runs, null) },
});

describe("the lines of an area's charts", () => {
  it("begin before the first job, end now, and have a mark for each job", () => {
    const points = [point(10, "before", 900, 9), point(20, "after", 300, 3), point(30, "before", 500, null)];
    const now = { at: 50, bytes: both(600, 700) };
    expect(sizeLines({ points, now }, { runs: 5, completedRuns: 6 })).toEqual({
      times: [10, 20, 30, 50],
      moments: ["before reduce", "after reduce", "before reduce", "now"],
      bytes: [
        [900, 300, 500, 600],
        [100, 700, 500, 700],
      ],
      runs: [
        [9, 3, null, 5],
        [null, null, null, 6],
      ],
      marks: [{ at: 20, job: "reduce" }],
    });
  });

  it("never go back in time, and know of an area without a job what there is now", () => {
    const now = { at: 50, bytes: both(600, null) };
    const ahead = sizeLines({ points: [point(70, "after", 1, 1)], now }, { runs: null, completedRuns: null });
    expect(ahead.times).toEqual([70, 70]);
    const alone = sizeLines({ points: [], now }, { runs: 2, completedRuns: 0 });
    expect(alone).toMatchObject({ times: [50], marks: [], bytes: [[600], [null]], runs: [[2], [0]] });
  });

  it("have a day around a single moment, and a margin around more", () => {
    expect(timeRange([1000])).toEqual([1000 - 43_200, 1000 + 43_200]);
    expect(timeRange([1000, 1002])).toEqual([1000 - 43_200, 1002 + 43_200]);
    expect(timeRange([0, 5000])).toEqual([-100, 5100]);
  });
});
