import { afterEach, expect, test, vi } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../shared/area/area.ts";
import { readHistory } from "../../../shared/area/history.ts";
import { isWithin, parseWindow, zonedText } from "../../../shared/time/time-window.ts";
import { assertNothingLost, edit, everywhere, newArea } from "../../support/area.ts";
import { movedIds, runReduce, runRestore, unionOf } from "../../support/queue.ts";

const hour = 3_600_000;

/** A window of the day that is open now and for two to three hours, and one that is shut as long. */
function windows(): { open: string; shut: string } {
  const now = new Date().getUTCHours();
  const at = (hours: number) => `${String((now + hours) % 24).padStart(2, "0")}:00`;
  return { open: `${at(0)}-${at(3)}`, shut: `${at(3)}-${at(6)}` };
}

/** Puts both clocks of this thread forward once the job has passed `step`. */
function later(step: string, ms: number): (name: string) => void {
  return (name) => {
    if (name !== step || vi.isFakeTimers()) return;
    const right = performance.now.bind(performance);
    vi.spyOn(performance, "now").mockImplementation(() => right() + ms);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
  };
}

function rightClocks(): void {
  vi.restoreAllMocks();
  vi.useRealTimers();
}

afterEach(rightClocks);

/** Three runs of more than half a batch each, most of whose tests have no rows of their own. */
function largeArea(): SampleArea {
  const area = newArea({ runs: 3, inFlight: 0, unsynced: false, testsPerRun: 1 });
  edit(area, everywhere, (db) =>
    db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1950)
      INSERT INTO tests (id, run_id, testname, item_path, state, status, event_time)
      SELECT 1000 + i, 1 + i % 3, 'bare' || i, '', 'COMPLETED', 'PASS', 1700000000 FROM n`),
  );
  return area;
}

test("a reduce whose time is up finishes the batches in hand, says what is left, and the next goes on", async () => {
  const area = largeArea();
  const before = unionOf(area);
  const first = await runReduce(area, { maxTime: hour }, { failpoint: later("copied", 2 * hour) });
  rightClocks();
  const { moved, timeUp, state, skippedCounts } = first.result;
  expect(state).toBe("completed");
  expect(moved.runs).toBeGreaterThan(0);
  expect(timeUp).toEqual({ by: "max-time", left: 3 - moved.runs });
  expect(timeUp?.left).toBeGreaterThan(0);
  expect(skippedCounts).toEqual({});
  expect(first.story).toContain(
    `Time is up (max-time): ${timeUp?.left} run${timeUp?.left === 1 ? "" : "s"} left for the next job.`,
  );
  const [line] = readHistory(openArea(area.directory), { limit: 1 });
  expect(line).toMatchObject({ state: "completed", timeUp });
  const second = await runReduce(area, { maxTime: hour });
  assertNothingLost(before, unionOf(area));
  expect(second.result.moved.runs).toBe(3 - moved.runs);
  expect(second.result.timeUp).toBeUndefined();
});

test("a reduce ends when its window of the day closes, whatever is left", async () => {
  const area = largeArea();
  const { open } = windows();
  const { result, story } = await runReduce(
    area,
    { between: open, tz: "UTC", compact: "always" },
    { failpoint: later("copied", 3 * hour) },
  );
  expect(isWithin(parseWindow(open), Date.now(), "UTC")).toBe(false);
  expect(result.timeUp).toEqual({ by: "between", left: 3 - result.moved.runs });
  // A vacuum could not be ended.
  expect(story.join()).not.toMatch(/Compacted/);
});

test("a restore whose time is up leaves the other runs in completed-runs.db", async () => {
  const area = largeArea();
  await runReduce(area);
  const { result } = await runRestore(area, { maxTime: hour }, { failpoint: later("whole", 2 * hour) });
  expect(result.moved.runs).toBeGreaterThan(0);
  expect(result.timeUp).toEqual({ by: "max-time", left: 3 - result.moved.runs });
});

test("a job outside of its window changes nothing and says when it opens; a dry run tells all the same", async () => {
  const area = newArea({ runs: 2, testsPerRun: 2, inFlight: 0 });
  const { shut } = windows();
  const refused = await runReduce(area, { between: shut, tz: "UTC" }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "outside-window", details: { between: shut, tz: "UTC" } });
  const { opensAt } = (refused as { details: { opensAt: number } }).details;
  expect(opensAt).toBeGreaterThan(Date.now());
  expect(isWithin(parseWindow(shut), opensAt, "UTC")).toBe(true);
  expect((refused as { hint: string }).hint).toContain(`at ${zonedText(opensAt, "UTC")};`);
  const { result } = await runReduce(area, { between: shut, tz: "UTC", maxTime: 1, dryRun: true });
  expect(movedIds(result)).toEqual([1, 2]);
  expect(result.timeUp).toBeUndefined();
});
