import { expect, test } from "vitest";
import { pointsOf } from "../../../../producers/server/page/widgets/chart-points.ts";

const line = (day: number, more: object) => ({ jobId: `j${day}`, at: `2026-01-0${day}T00:00:00Z`, ...more });
const times = (...days: number[]) => days.map((day) => Date.parse(`2026-01-0${day}T00:00:00Z`) / 1000);

test("the chart takes runs as a line of the history tells them, and reckons back from the next where it does not", () => {
  const sides = { "megatest.db": { runs: 5 }, "completed-runs.db": { runs: 7 } };
  const history = [
    line(1, { job: "reduce", moved: { runs: 3 } }),
    line(2, { job: "restore", moved: { runs: 2 } }),
    line(3, { job: "reduce", moved: { runs: 4 }, sides, bytes: { "megatest.db": { before: 9, after: 8 } } }),
    line(4, { job: "migrate" }),
    line(5, { job: "reduce", moved: { runs: 1 } }),
  ];
  expect(pointsOf(history, 20)).toEqual([
    times(1, 2, 3, 4, 5),
    [null, null, 8, null, null],
    [null, null, null, null, null],
    [null, null, 5, null, null],
    [5, 3, 7, 19, 20],
  ]);
  expect(pointsOf(history.slice(3), null)[4]).toEqual([null, null]);
  expect(pointsOf([{ jobId: "torn", job: "reduce" }], 1)).toEqual([[], [], [], [], []]);
});
