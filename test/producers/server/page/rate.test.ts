import { expect, it } from "vitest";
import { RateMeter } from "../../../../producers/server/page/data/rate.ts";

const progress = (done: number, rows: number, { phase = "copying", total = 40 } = {}) => ({
  phase,
  runs: { done, total },
  rows: { done: rows },
});

it("a job's rate is that of its last minute, and the rest follows from its runs", () => {
  const meter = new RateMeter();
  expect(meter.rate).toBeUndefined();
  meter.add(progress(0, 0), 0);
  meter.add(progress(2, 1000), 500);
  expect(meter.rate).toBeUndefined();
  meter.add(progress(10, 5000), 2000);
  expect(meter.rate).toEqual({ unit: "rows", perSecond: 2500, restMs: 6000 });
  meter.add(progress(11, 5100), 70_000);
  meter.add(progress(12, 5200), 72_000);
  expect(meter.rate).toEqual({ unit: "rows", perSecond: 50, restMs: 56_000 });
});

it("a job's rate begins anew with each phase and each attempt", () => {
  const meter = new RateMeter();
  meter.add(progress(0, 0), 0);
  meter.add(progress(20, 8000), 4000);
  meter.add(progress(20, 8000, { phase: "removing" }), 5000);
  expect(meter.rate).toBeUndefined();
  meter.add(progress(30, 8100, { phase: "removing" }), 7000);
  expect(meter.rate).toEqual({ unit: "rows", perSecond: 50, restMs: 2000 });
  meter.add(progress(1, 10, { phase: "removing" }), 8000);
  expect(meter.rate).toBeUndefined();
});

it("a job that counts runs alone has a rate of runs, and one that does nothing has none", () => {
  const meter = new RateMeter();
  meter.add(progress(1, 0), 0);
  meter.add(progress(3, 0), 4000);
  expect(meter.rate).toEqual({ unit: "runs", perSecond: 0.5, restMs: 74_000 });
  const idle = new RateMeter();
  idle.add(progress(1, 7), 0);
  idle.add(progress(1, 7), 4000);
  expect(idle.rate).toBeUndefined();
});
