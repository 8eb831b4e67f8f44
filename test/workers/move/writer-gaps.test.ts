import { afterEach, describe, expect, it, vi } from "vitest";
import { WriterGaps } from "../../../workers/move/sources/writer-gaps.ts";

/** SQLite's pauses between two tries, ms (`sqliteDefaultBusyCallback`); the last one is repeated. */
const pauses = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];

/** Whether a writer that begins to wait at `start` tries again within the gap. */
function isAdmitted(start: number, { from, to }: { from: number; to: number }): boolean {
  let at = start;
  for (let tries = 0; at < from; tries++) at += pauses[Math.min(tries, pauses.length - 1)] ?? 100;
  return at < to;
}

/** Gaps after locks of `locked` ms each, if another connection commits in every gap or in none. */
function gapsAfter(locked: number, { used, count = 40 }: { used: boolean; count?: number }) {
  const writers = new WriterGaps();
  const gaps: { from: number; to: number }[] = [];
  let version = 1;
  for (let at = 0; gaps.length < count; ) {
    writers.note(version);
    at += locked;
    const ms = writers.gapAfter(locked);
    if (ms === 0) continue;
    gaps.push({ from: at, to: at + ms });
    at += ms;
    if (used) version++;
  }
  return gaps;
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

  it("follow each lock while another writer is likely, and otherwise every 50 ms", () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const gaps = new WriterGaps();
    gaps.note(1);
    expect(gaps.gapAfter(5)).toBeGreaterThan(0);
    expect(gaps.gapAfter(1), "a lock that is over before a writer has slept for long").toBe(0);
    vi.advanceTimersByTime(1_000);
    expect(gaps.gapAfter(40)).toBe(0);
    expect(gaps.gapAfter(20)).toBeGreaterThan(25);
  });

  it.each([2, 4, 8, 15, 18, 25, 33, 50, 60, 130, 250])(
    "let in every writer that began to wait during a lock of %i ms",
    (locked) => {
      const [, second, third] = gapsAfter(locked, { used: true });
      if (second === undefined || third === undefined) throw new Error("no gaps");
      for (let start = second.to; start < third.from; start += 0.25)
        expect(isAdmitted(start, third), `begun ${start - second.to} ms into it`).toBe(true);
    },
  );

  it("let in one who missed a gap or two, since the next is as long as it then sleeps", () => {
    const gaps = gapsAfter(15, { used: false });
    for (let missed = 1; missed <= 2; missed++) {
      // It came in time for an earlier gap, and was not woken in time.
      const [here, next] = [gaps[10], gaps[10 + missed]];
      if (here === undefined || next === undefined) throw new Error("no gaps");
      for (let start = here.from - 15; start < here.to; start += 0.5)
        expect(isAdmitted(start, next), `${start - here.from} ms from the one it missed`).toBe(true);
    }
  });
});
