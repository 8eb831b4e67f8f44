import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { buildArea, type SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { fingerprint, newArea, temporaryDirectory } from "../support/area.ts";
import { documentOf, runCommand, runReduce } from "../support/queue.ts";

const dayMs = 24 * 3_600_000;

/** 60 runs, which began over 90 days. */
const options = { runs: 60, testsPerRun: 20, inFlight: 0, unsynced: false };

/** Another area beside it. */
const beside = ({ directory, cacheRoot, user, host }: SampleArea, name: string) =>
  buildArea({
    directory: join(dirname(directory), name),
    cacheRoot,
    user,
    host,
    runs: 3,
    testsPerRun: 2,
  });

const forecast = (area: SampleArea, ...args: string[]) =>
  runCommand(["forecast", ...args, "--areas", dirname(area.directory)], { env: {} });

interface Forecast {
  area: string;
  rule: string;
  runs: number;
  movable: { runs: number; bytes: number };
  growthBytesPerWeek: number;
}

const forecasts = async (area: SampleArea, ...args: string[]) =>
  documentOf(await forecast(area, ...args, "--json")).areas as Forecast[];

it("estimates what a reduce then moves and frees, and writes nothing", async () => {
  const area = newArea(options);
  const small = beside(area, "a2");
  const before = fingerprint(dirname(area.directory));
  const [first, second] = await forecasts(area, "--age", "60d");
  expect(fingerprint(dirname(area.directory))).toEqual(before);
  expect([first?.area, second?.area]).toEqual([area.directory, small.directory]);
  expect(first).toMatchObject({ rule: "options", runs: 60 });
  const size = statSync(area.megatestDb).size;
  const { result } = await runReduce(area, { runname: undefined, age: 60 * dayMs, compact: "always" });
  // A job goes by the last activity of a run, not by its beginning.
  expect(Number(first?.movable.runs) - result.moved.runs).toBeOneOf([0, 1]);
  const freed = size - statSync(area.megatestDb).size;
  expect((first?.movable.bytes ?? 0) / freed).toBeGreaterThan(0.7);
  expect((first?.movable.bytes ?? 0) / freed).toBeLessThan(1.4);
});

it("estimates growth by the runs of four weeks", async () => {
  const area = newArea(options);
  const [only] = await forecasts(area);
  // 60 runs in 90 days are 4.7 a week.
  const perRun = statSync(area.megatestDb).size / 60;
  expect(Number(only?.growthBytesPerWeek) / perRun).toBeGreaterThan(4);
  expect(Number(only?.growthBytesPerWeek) / perRun).toBeLessThan(5.4);
});

it("uses the area's own rules, and those of 30 days without any", async () => {
  const area = newArea(options);
  const [byDefault] = await forecasts(area);
  const [same] = await forecasts(area, "--age", "30d");
  expect(byDefault).toEqual({ ...same, rule: "default" });
  const config = join(area.directory, "megatest.config");
  writeFileSync(config, "\n[reduce-records]\nold keep=10\n", { flag: "a" });
  const [byConfig] = await forecasts(area);
  const [kept] = await forecasts(area, "--keep", "10");
  expect(byConfig).toEqual({ ...kept, rule: "config" });
});

it("takes patterns below the roots, and refuses one that matches nothing", async () => {
  const area = newArea({ runs: 3 });
  beside(area, "b1");
  beside(area, "b2");
  const names = (found: Forecast[]) => found.map((each) => each.area.slice(-2)).sort();
  expect(names(await forecasts(area, "b*"))).toEqual(["b1", "b2"]);
  expect(names(await forecasts(area, join(dirname(area.directory), "*1")))).toEqual(["a1", "b1"]);
  expect(names(await forecasts(area, area.directory, "b2"))).toEqual(["a1", "b2"]);
  // An area that is named twice counts once.
  expect(names(await forecasts(area, area.directory, "a*", area.directory))).toEqual(["a1"]);
  const none = await forecast(area, "c*");
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("matches c*")]);
  const rootless = await runCommand(["forecast"], { env: {} });
  expect([rootless.code, rootless.stderr]).toEqual([2, expect.stringContaining("MTJOBS_AREAS is not set")]);
});

it("takes a pattern below a root whose own name has signs of one", async () => {
  const root = join(temporaryDirectory(), "od[d]");
  const [a1, b1] = ["a1", "b1"].map((name) => newArea({ runs: 3, directory: join(root, name) }).directory);
  const at = async (pattern: string) => {
    const { areas } = documentOf(
      await runCommand(["forecast", pattern, "--areas", root, "--json"], { env: {} }),
    );
    return (areas as Forecast[]).map((each) => each.area);
  };
  expect(await at("a*")).toEqual([a1]);
  expect(await at("./b?")).toEqual([b1]);
});

it("names an area that it cannot read, and exits 1", async () => {
  const area = newArea({ runs: 3 });
  const broken = join(dirname(area.directory), "broken");
  mkdirSync(broken);
  writeFileSync(join(broken, "megatest.config"), "[fields]\nsysname TEXT\n[setup]\n");
  writeFileSync(join(broken, "megatest.db"), "this is no database");
  const { code, stdout } = await forecast(area);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^AREA +MEGATEST\.DB +RUNS +WOULD MOVE +GAIN +OLDEST +PER WEEK\n/);
  expect(stdout).toMatch(new RegExp(`warning: ${broken}: .*not a database`));
});
