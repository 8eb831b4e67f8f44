import { afterEach, describe, expect, it, vi } from "vitest";
import { WriterGaps } from "../../../workers/move/sources/writer-gaps.ts";

/** After how many ms under lock, in locks of 5 ms, the database is left alone. */
function heldBeforeGap(gaps: WriterGaps): number {
  let held = 0;
  do held += 5;
  while (gaps.gapAfter(5) === 0);
  return held;
}

describe("a station's company", () => {
  afterEach(() => void vi.useRealTimers());

  it("is expected at first, when nobody can tell, and no longer after a second without any", () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const gaps = new WriterGaps();
    gaps.note(7);
    expect(gaps.isLikely).toBe(true);
    vi.advanceTimersByTime(1_000);
    gaps.note(7);
    expect(gaps.isLikely).toBe(false);
    gaps.note(8);
    expect(gaps.isLikely).toBe(true);
  });

  it("is let in sooner while it is likely", () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const gaps = new WriterGaps();
    gaps.note(1);
    const likely = heldBeforeGap(gaps);
    vi.advanceTimersByTime(1_000);
    expect(likely).toBeLessThan(heldBeforeGap(gaps));
  });

  it("finds a gap of a station when it asks again after 53 ms, where it is likely", () => {
    const gaps = new WriterGaps();
    gaps.note(1);
    // The longest lock that a batch aims at may come on top of what was just below the limit.
    expect(heldBeforeGap(gaps) - 5 + 25).toBeLessThanOrEqual(53);
    expect(gaps.gapAfter(30)).toBeGreaterThan(25);
  });
});
