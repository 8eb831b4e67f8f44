import { expect, test } from "vitest";
import { progressText } from "../../../producers/format/progress.ts";

test.each([
  [{ done: 3, total: 40 }, { done: 1200 }, "copying, 3 of 40 runs, 1,200 rows"],
  [{ done: 0, total: 1 }, { done: 1 }, "copying, 0 of 1 run, 1 row"],
  [{ done: 0, total: 2 }, { done: 1, total: 9 }, "copying, 0 of 2 runs, 1 of 9 rows"],
])("progress of %j and %j counts one run as one run", (runs, rows, text) => {
  expect(progressText({ phase: "copying", runs, rows })).toBe(text);
});
