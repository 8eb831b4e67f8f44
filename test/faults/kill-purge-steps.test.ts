import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { importFailpoints, purgeFailpoints } from "../../workers/area-db/failpoint-names.ts";
import {
  assertNothingLost,
  casesOf,
  changeInMegatestDbOnly,
  edit,
  everywhere,
  exportsIn,
  movedRows,
  newArea,
  noRows,
  readRows,
  temporaryDirectory,
} from "../support/area.ts";
import {
  assertReleased,
  historyOf,
  runImport,
  runJobProcess,
  runPurge,
  runReduce,
  runRepair,
  runRestore,
  unionOf,
} from "../support/queue.ts";

const shape = { runs: 4, testsPerRun: 6, inFlight: 0, unsynced: false };

async function reducedArea() {
  const area = newArea(shape);
  changeInMegatestDbOnly(area, 2);
  const before = unionOf(area);
  await runReduce(area);
  return { area, before, rows: movedRows(area), versions: versionsOf(area), directory: temporaryDirectory() };
}

const versionsOf = (area: SampleArea) =>
  readRows(
    `${area.directory}/completed-runs.db`,
    "SELECT table_name, row_id, row FROM mtjobs_superseded ORDER BY 1, 2, 3",
  );

/** Every purged run in exactly one line of the history. */
const countedIn = (area: SampleArea, job: string) =>
  (
    historyOf(area) as unknown as {
      job: string;
      moved: { runs: number };
      finished?: Record<string, { runs: number }>;
    }[]
  )
    .map((line) => (line.job === job ? line.moved.runs : (line.finished?.[job]?.runs ?? 0)))
    .reduce((sum, count) => sum + count, 0);

/** Imports every export, restores every run, and finds each record of before. */
async function assertAllComesBack({
  area,
  before,
  rows,
  versions,
  directory,
}: Awaited<ReturnType<typeof reducedArea>>): Promise<void> {
  expect(movedRows(area)).toEqual(noRows);
  const files = exportsIn(directory);
  expect(files).toHaveLength(shape.runs);
  for (const file of files) expect((await runImport(area, file)).result.moved.runs).toBe(1);
  expect([movedRows(area), versionsOf(area)]).toEqual([rows, versions]);
  await runRestore(area);
  assertNothingLost(before, unionOf(area));
}

describe("a purge that is killed", () => {
  const first = purgeFailpoints.map((step) => ({ step, pass: 1 }));
  const third = (["purging", "exported", "export-written", "purged"] as const).map((step) => ({
    step,
    pass: 3,
  }));

  it.each([...first, ...casesOf(third, 1)])(
    "at pass $pass of $step leaves what the next one finishes",
    async ({ step, pass }) => {
      const start = await reducedArea();
      const { area, directory } = start;
      const flags = ["--runname", "%", "--export", directory];
      const killed = await runJobProcess("purge", area, flags, { MTJOBS_FAILPOINT: `${step}:${pass}=kill` });
      expect(killed.signal, killed.stderr).toBe("SIGKILL");
      const { result } = await runPurge(area, { export: directory });
      expect(readdirSync(directory).filter((name) => !name.startsWith("run-"))).toEqual([]);
      expect(result.moved.runs).toBe(shape.runs);
      expect(countedIn(area, "purge")).toBe(shape.runs);
      await assertAllComesBack(start);
      assertReleased(area);
    },
  );

  it("at purging leaves what any job finishes, and counts", async () => {
    const start = await reducedArea();
    const { area, directory } = start;
    const flags = ["--runname", "%", "--export", directory];
    await runJobProcess("purge", area, flags, { MTJOBS_FAILPOINT: "purging:2=kill" });
    const { result } = await runRepair(area);
    expect(result).toMatchObject({ moved: { runs: 0 }, finished: { purge: { runs: 2 } } });
    expect(movedRows(area).runs).toHaveLength(2);
    await runPurge(area, { export: directory });
    expect(countedIn(area, "purge")).toBe(4);
    await assertAllComesBack(start);
  });
});

describe("an import that is killed", () => {
  const steps = importFailpoints.flatMap((step) =>
    (step === "import-copied" ? [1, 2] : [1]).map((pass) => ({ step, pass })),
  );

  it.each(steps)("at pass $pass of $step leaves what the next one finishes", async ({ step, pass }) => {
    const start = await reducedArea();
    const { area, directory } = start;
    await runPurge(area, { export: directory });
    const [file = ""] = exportsIn(directory);
    if (step === "ids-reserved") {
      edit(area, everywhere, (db) => {
        db.exec("DELETE FROM runs; DELETE FROM tests; INSERT INTO runs (id, runname) VALUES (1, 'another')");
      });
    }
    const killed = await runJobProcess("import", area, [file], { MTJOBS_FAILPOINT: `${step}:${pass}=kill` });
    expect(killed.signal, killed.stderr).toBe("SIGKILL");
    const counted = step === "imported";
    const { result } = await runImport(area, file);
    // The dead job's run is counted by the next job, which finds it there.
    expect(result.moved.runs).toBe(1);
    expect(result.undone).toEqual(step === "import-copied" ? { import: 1 } : undefined);
    expect(countedIn(area, "import")).toBe(1);
    expect(movedRows(area).runs).toHaveLength(1);
    if (counted || step === "import-copied") {
      expect(movedRows(area).tests).toEqual(start.rows.tests?.filter((test) => test.run_id === 1));
    }
    assertReleased(area);
  });

  it("after its last commit, before a purge of the run that is killed too, is not taken for done", async () => {
    const start = await reducedArea();
    const { area, directory } = start;
    await runPurge(area, { export: directory });
    const [file = ""] = exportsIn(directory);
    await runJobProcess("import", area, [file], { MTJOBS_FAILPOINT: "imported=kill" });
    const flags = ["--run-id", "1", "--export", directory];
    const killed = await runJobProcess("purge", area, flags, { MTJOBS_FAILPOINT: "purged=kill" });
    expect(killed.signal, killed.stderr).toBe("SIGKILL");
    await runImport(area, file);
    expect(movedRows(area).tests).toEqual(start.rows.tests?.filter((test) => test.run_id === 1));
  });

  it("half way leaves nothing that counts, after any job", async () => {
    const { area, directory } = await reducedArea();
    await runPurge(area, { export: directory });
    const [file = ""] = exportsIn(directory);
    await runJobProcess("import", area, [file], { MTJOBS_FAILPOINT: "import-copied:2=kill" });
    const { result } = await runRepair(area);
    expect(result).toMatchObject({ moved: { runs: 0 }, undone: { import: 1 } });
    expect(movedRows(area)).toEqual(noRows);
  });
});
