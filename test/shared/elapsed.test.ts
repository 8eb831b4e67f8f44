import { expect, test } from "vitest";
import { elapsedText } from "../../shared/time/elapsed.ts";

const hour = 3_600_000;

test.each([
  [349.6, "350 ms"],
  [1_234, "1.2 s"],
  [185_000, "3 min 5 s"],
  [2 * hour + 300_000, "2 h 5 min"],
  [24 * hour, "1 d"],
  [7 * 24 * hour, "7 d"],
  [50 * hour, "2 d 2 h"],
])("%d ms are told as %s", (milliseconds, text) => {
  expect(elapsedText(milliseconds)).toBe(text);
});
