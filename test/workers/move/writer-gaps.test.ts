import { afterEach, describe, expect, it, vi } from "vitest";
import { WriterGaps } from "../../../workers/move/sources/writer-gaps.ts";

/** After how many ms under lock, in locks of 5 ms, the database is left alone. */
function heldBeforeGap(gaps: WriterGaps): number {
  let held = 0;
  do held += 5;
  while (gaps.gapAfter(5) === 0);
  return held;
}

describe("the gaps that a source writer leaves to other writers", () => {
  afterEach(() => void vi.useRealTimers());

  it("are left at first, when no writer is known, and are fewer after a second without one", () => {
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

  it("come sooner while another writer is likely", () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const gaps = new WriterGaps();
    gaps.note(1);
    const likely = heldBeforeGap(gaps);
    vi.advanceTimersByTime(1_000);
    expect(likely).toBeLessThan(heldBeforeGap(gaps));
  });

  it("are found by a writer that asks again after 53 ms, if one is likely", () => {
    const gaps = new WriterGaps();
    gaps.note(1);
    // The longest lock that a batch aims at may come on top of what was just below the limit.
    expect(heldBeforeGap(gaps) - 5 + 25).toBeLessThanOrEqual(53);
    expect(gaps.gapAfter(30)).toBeGreaterThan(25);
  });
});
