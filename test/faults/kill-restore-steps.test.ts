import { describe, expect, it } from "vitest";
import type { SampleArea, SampleAreaOptions } from "../../producers/demo/sample-area/build-area.ts";
import { restoreFailpoints } from "../../workers/area-db/failpoint-names.ts";
import {
  addOddValues,
  assertNothingLost,
  type Cell,
  casesOf,
  completedColumn,
  everywhere,
  fileOf,
  giveTestsTo,
  newArea,
  readRows,
} from "../support/area.ts";
import {
  assertReleased,
  assertUnharmed,
  runJobProcess,
  runReduce,
  runRestore,
  unionOf,
} from "../support/queue.ts";

type RestoreStep = (typeof restoreFailpoints)[number];

const identified = ["runs", "tests", "test_steps", "test_data"];

/** What a database holds of the tables that sync, without the rows that guard ids. */
function recordsIn(area: SampleArea, place: (typeof everywhere)[number]): Record<string, Cell>[][] {
  return identified.map((table) =>
    readRows(fileOf(area, place), `SELECT * FROM ${table} ORDER BY id`).filter(
      (row) => !Object.values(row).includes("mtjobs-id-guard"),
    ),
  );
}

/** What comes of the rows of run 3 where its name was taken: another name, and no directory of the run that has the old one. */
function renamed(whole: ReturnType<typeof recordsIn>): ReturnType<typeof recordsIn> {
  const former = (path: unknown) => (path === "/tmp/badname" ? path : `n/a-mtjobs-was:${path}`) as string;
  return whole.map((rows, table) =>
    rows.map((row) => {
      if (identified[table] === "runs" && row.id === 3) return { ...row, runname: `${row.runname}.restored` };
      if (identified[table] !== "tests" || row.run_id !== 3) return row;
      return { ...row, rundir: former(row.rundir), shortdir: former(row.shortdir) };
    }),
  );
}

/** Takes the name of run 3 in the cache, so that its restore meets a conflict. */
function takeName(area: SampleArea): void {
  const [run] = readRows(`${area.directory}/completed-runs.db`, "SELECT * FROM runs WHERE id = 3");
  const names = [...area.keys, "runname"];
  const values = names.map((name) => `'${run?.[name]}'`);
  readRows(
    area.cacheDb,
    `INSERT INTO runs (${names.join(", ")}, state) VALUES (${values.join(", ")}, 'COMPLETED') RETURNING id`,
  );
}

function restoreProcess(area: SampleArea, env: Record<string, string> = {}) {
  const flags = ["--runname", "%", "--grace", "0s", "--on-conflict", "rename"];
  return runJobProcess("restore", area, flags, env);
}

/** Kills a restore of everything, looks, lets the next one finish, and looks again. */
async function killAndFinish(
  step: RestoreStep,
  pass: number,
  options: Partial<SampleAreaOptions>,
): Promise<void> {
  const shape = pass === 1 ? { runs: 6, testsPerRun: 6 } : { runs: 6, testsPerRun: 400, stepsPerTest: 1 };
  const area = newArea({ ...shape, inFlight: 0, unsynced: false, ...options });
  if (pass > 1) giveTestsTo(area, 1, [2]);
  addOddValues(area, 2);
  const whole = recordsIn(area, options.withCache === false ? "area" : "cache");
  await runReduce(area);
  if (step === "renamed") takeName(area);
  const before = unionOf(area);
  const { signal, code, stderr } = await restoreProcess(area, { MTJOBS_FAILPOINT: `${step}:${pass}=kill` });
  if (signal !== "SIGKILL" && pass > 1) {
    expect(code, stderr).toBe(0);
    return killAndFinish(step, pass - 1, options);
  }
  expect(signal, stderr).toBe("SIGKILL");
  if (step !== "renamed") assertUnharmed(area, before);
  await runRestore(area, { onConflict: "rename" });
  expect(
    completedColumn(area, "SELECT count(*) FROM runs UNION ALL SELECT count(*) FROM mtjobs_runs"),
  ).toEqual([0, 0]);
  if (step !== "renamed") assertNothingLost(before, unionOf(area));
  for (const place of options.withCache === false ? (["area"] as const) : everywhere) {
    const [runs = [], ...rows] = recordsIn(area, place);
    const known = runs.filter(({ id }) => whole[0]?.some((run) => run.id === id));
    expect([known, ...rows]).toEqual(step === "renamed" ? renamed(whole) : whole);
    expect(runs).toHaveLength(known.length + (step === "renamed" && place === "cache" ? 1 : 0));
  }
  assertReleased(area);
}

/** These happen only where something else goes wrong: see the tests of conflicts. */
const undoing = new Set<RestoreStep>(["undone"]);
const steps = restoreFailpoints.filter((step) => !undoing.has(step)).map((step) => ({ step }));
const later = (["inserted-in-area", "inserted-in-cache", "let-go"] as const).map((step) => ({ step }));

describe("a restore that is killed", () => {
  it.each(steps)(
    "at $step leaves what the next one finishes, the cache using a write-ahead log",
    ({ step }) => killAndFinish(step, 1, { cacheWal: true }),
  );

  it.each(casesOf(later, 1))("at a later pass of $step leaves what the next one finishes", ({ step }) =>
    killAndFinish(step, 3, {}),
  );

  it.each(casesOf(["inserted-in-area", "restored"] as const, 1))(
    "at %s leaves what the next one finishes if the area has no cache",
    (step) => killAndFinish(step, 1, { withCache: false }),
  );

  it("at undone, half of a killed one being taken out again, leaves what the next one finishes", async () => {
    const area = newArea({ runs: 6, testsPerRun: 6, inFlight: 0, unsynced: false });
    const whole = recordsIn(area, "cache");
    await runReduce(area);
    const before = unionOf(area);
    for (const failpoint of ["brought-to-ref", "undone"]) {
      const { signal } = await restoreProcess(area, { MTJOBS_FAILPOINT: `${failpoint}=kill` });
      expect(signal).toBe("SIGKILL");
      assertUnharmed(area, before);
    }
    expect((await restoreProcess(area)).code).toBe(0);
    for (const place of everywhere) expect(recordsIn(area, place)).toEqual(whole);
  });

  it("at whole, last_update being touched, leaves what the next one lets go", async () => {
    const area = newArea({ runs: 3, testsPerRun: 4, inFlight: 0, unsynced: false });
    await runReduce(area);
    const flags = ["--runname", "%", "--grace", "0s", "--touch"];
    expect((await runJobProcess("restore", area, flags, { MTJOBS_FAILPOINT: "whole=kill" })).signal).toBe(
      "SIGKILL",
    );
    expect((await restoreProcess(area)).code).toBe(0);
    expect(
      completedColumn(
        area,
        "SELECT count(*) FROM mtjobs_runs UNION ALL SELECT count(*) FROM mtjobs_superseded",
      ),
    ).toEqual([0, 0]);
  });
});
