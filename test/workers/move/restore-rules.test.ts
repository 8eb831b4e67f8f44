import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { JobsError } from "../../../shared/errors.ts";
import type { FailpointName } from "../../../workers/area-db/failpoint-names.ts";
import {
  addColumn,
  assertNothingLost,
  completedColumn,
  edit,
  everywhere,
  fileOf,
  firstTestOf,
  giveTestsTo,
  newArea,
  readColumn,
  readRows,
  reuseBlockId,
} from "../../support/area.ts";
import {
  atRest,
  movedIds,
  reducedArea,
  run2,
  runReduce,
  runRestore,
  skippedBy,
  unionOf,
} from "../../support/queue.ts";

const stateOf2 = (area: SampleArea) =>
  completedColumn(area, "SELECT state FROM mtjobs_runs WHERE run_id = 2");

/** A restore of run 2 that ends right after a step, as if its process had died: it leaves no line in the history. */
async function dieAt(area: SampleArea, step: FailpointName): Promise<void> {
  const failpoint = (name: string) => {
    if (name === step) throw new JobsError("stopped", "died");
  };
  await expect(runRestore(area, run2, { failpoint })).rejects.toThrow("died");
}

const idsIn = (file: string) => readColumn(file, "SELECT id FROM runs WHERE state <> 'deleted' ORDER BY id");

describe("a restore", () => {
  it("dates what comes back only with --touch, the same in all three databases", async () => {
    const area = await reducedArea();
    const started = Math.floor(Date.now() / 1000);
    await runRestore(area, { ...run2, touch: true });
    for (const place of everywhere) {
      for (const row of readRows(fileOf(area, place), "SELECT last_update FROM tests WHERE run_id = 2"))
        expect(row.last_update).toBeGreaterThanOrEqual(started);
    }
    expect(readRows(area.cacheDb, "SELECT * FROM tests WHERE run_id = 2")).toEqual(
      readRows(area.megatestDb, "SELECT * FROM tests WHERE run_id = 2"),
    );
  });

  it("keeps the newest of each target and those with later activity where the selectors say so", async () => {
    const area = await reducedArea();
    const times = completedColumn(area, "SELECT event_time FROM runs ORDER BY event_time");
    const age = Date.now() - (Number(times[1]) + 4 * 3600) * 1000;
    const kept = await runRestore(area, { keep: 4, dryRun: true });
    expect(kept.result.skippedCounts.kept).toBeGreaterThan(0);
    const aged = await runRestore(area, { age, dryRun: true });
    expect(aged.result.skippedCounts.recent).toBeGreaterThan(0);
    expect(aged.result.moved.runs).toBeGreaterThan(0);
  });

  it("tells with --dry-run what would come back, and changes no byte", async () => {
    const area = await reducedArea();
    const before = unionOf(area);
    const { result } = await runRestore(area, { dryRun: true });
    expect(result).toMatchObject({ job: "restore", dryRun: true, moved: { runs: 4, tests: 16 } });
    assertNothingLost(before, unionOf(area));
    expect(idsIn(area.cacheDb)).toEqual([]);
  });

  it("finds nothing to do if nothing was ever moved", async () => {
    const area = newArea(atRest);
    const { result } = await runRestore(area);
    expect(result).toMatchObject({ state: "completed", moved: { runs: 0 }, skipped: [] });
  });

  it("maps a test's block back to the id that Megatest had for it", async () => {
    const area = newArea(atRest);
    const archive = (id: number) =>
      edit(area, everywhere, (db) =>
        db.exec(`UPDATE tests SET archived = 2 WHERE id = (SELECT min(id) FROM tests WHERE run_id = ${id})`),
      );
    archive(1);
    archive(2);
    await runReduce(area, { runname: undefined, runId: [1] });
    reuseBlockId(area, ["cache", "area"], 2);
    await runReduce(area, run2);
    expect(completedColumn(area, "SELECT original FROM mtjobs_archived")).toEqual([2]);
    await runRestore(area, run2);
    for (const place of everywhere) {
      expect(
        readColumn(fileOf(area, place), "SELECT archived FROM tests WHERE run_id = 2 AND archived > 0"),
      ).toEqual([2]);
    }
    expect(completedColumn(area, "SELECT count(*) FROM mtjobs_archived")).toEqual([0]);
  });

  it("fires no trigger on the way, not even one that fires on an INSERT", async () => {
    const area = await reducedArea();
    edit(area, everywhere, (db) =>
      db.exec(`CREATE TRIGGER spoil AFTER INSERT ON tests BEGIN
        UPDATE tests SET comment = 'spoilt' WHERE id = NEW.id; END`),
    );
    await runRestore(area, run2);
    for (const place of everywhere) {
      const file = fileOf(area, place);
      expect(readColumn(file, "SELECT count(*) FROM tests WHERE comment = 'spoilt'")).toEqual([0]);
      expect(readColumn(file, "SELECT count(*) FROM sqlite_schema WHERE name = 'spoil'")).toEqual([1]);
    }
  });

  it("works on megatest.db alone without a cache", async () => {
    const area = newArea({ ...atRest, withCache: false });
    const before = readRows(area.megatestDb, "SELECT * FROM tests ORDER BY id");
    await runReduce(area);
    await runRestore(area);
    expect(
      readRows(area.megatestDb, "SELECT * FROM tests WHERE testname <> 'mtjobs-id-guard' ORDER BY id"),
    ).toEqual(before);
  });

  it("brings a run back that is larger than one batch and than one lock", async () => {
    const area = newArea({
      runs: 4,
      testsPerRun: 600,
      stepsPerTest: 1,
      dataPerTest: 1,
      inFlight: 0,
      unsynced: false,
    });
    giveTestsTo(area, 1, [2, 3]);
    const before = readRows(area.cacheDb, "SELECT * FROM tests ORDER BY id");
    await runReduce(area);
    const { result } = await runRestore(area);
    expect(result.moved).toMatchObject({ runs: 4, tests: 2400 });
    for (const place of everywhere) {
      expect(
        readRows(fileOf(area, place), "SELECT * FROM tests WHERE testname <> 'mtjobs-id-guard' ORDER BY id"),
      ).toEqual(before);
    }
  });

  it("lets completed-runs.db keep the run until the grace is over", async () => {
    const area = await reducedArea();
    let wholeAt = 0;
    let restoredAt = 0;
    await runRestore(
      area,
      { ...run2, grace: 1500 },
      {
        failpoint: (name) => {
          if (name === "whole") {
            wholeAt = Date.now();
            expect(completedColumn(area, "SELECT state FROM mtjobs_runs WHERE run_id = 2")).toEqual([
              "restoring",
            ]);
          }
          if (name === "restored") restoredAt = Date.now();
        },
      },
    );
    expect(restoredAt - wholeAt).toBeGreaterThanOrEqual(1490);
  });

  it("takes a run out again whose values a database would change, and reports it as changed", async () => {
    const area = newArea(atRest);
    edit(area, everywhere, (db) => db.exec("UPDATE test_data SET units = '007'"));
    await runReduce(area);
    edit(area, ["cache"], (db) => {
      db.unsafeMode(true);
      db.pragma("writable_schema = ON");
      db.exec(
        "UPDATE sqlite_schema SET sql = replace(sql, 'units TEXT', 'units INTEGER') WHERE name = 'test_data'",
      );
      db.pragma("writable_schema = RESET");
    });
    const { result } = await runRestore(area, run2);
    expect(skippedBy(result)).toEqual({ 2: "changed" });
    for (const place of everywhere) expect(idsIn(fileOf(area, place))).toEqual([]);
    expect(completedColumn(area, "SELECT DISTINCT units FROM test_data")).toEqual(["007"]);
  });

  it("leaves a run whose values no database has a column for any more, and names the column", async () => {
    const area = newArea(atRest);
    addColumn(area, "tests", "seed INTEGER");
    edit(area, everywhere, (db) => db.exec("UPDATE tests SET seed = 7 WHERE run_id = 2"));
    await runReduce(area);
    edit(area, everywhere, (db) => db.exec("ALTER TABLE tests DROP COLUMN seed"));
    const { result } = await runRestore(area);
    expect(skippedBy(result)).toEqual({ 2: "changed" });
    expect(movedIds(result)).toEqual([1, 3, 4]);
    expect(result.warnings.join()).toContain("tests.seed");
    expect(completedColumn(area, "SELECT DISTINCT seed FROM tests")).toEqual([7]);
  });

  it("is undone by the next job where it died halfway", async () => {
    const area = await reducedArea();
    await dieAt(area, "brought-to-ref");
    expect(stateOf2(area)).toEqual(["restoring"]);
    const { result } = await runReduce(area, { runname: "none" });
    expect(result.undone).toEqual({ restore: 1 });
    expect(stateOf2(area)).toEqual(["moved"]);
    expect(readColumn(area.megatestDb, "SELECT id FROM tests WHERE run_id = 2")).toEqual([]);
  });

  it("that died halfway leaves a run be that somebody works on again, until its tests have ended", async () => {
    const area = await reducedArea();
    await dieAt(area, "brought-to-cache");
    const test = firstTestOf(area, 2);
    edit(area, ["cache"], (db) =>
      db.exec(
        `UPDATE tests SET state = 'RUNNING', event_time = ${area.now}, run_duration = 5 WHERE id = ${test}`,
      ),
    );
    const { result } = await runReduce(area, { runname: "none" });
    expect(skippedBy(result)).toEqual({ 2: "in-flight" });
    expect(result.warnings.join()).toContain("half restored and active again");
    expect(stateOf2(area)).toEqual(["restoring"]);
    edit(area, ["cache"], (db) =>
      db.exec(`UPDATE tests SET state = 'COMPLETED', comment = 'again' WHERE id = ${test}`),
    );
    await runReduce(area, { runname: "none" });
    expect(stateOf2(area)).toEqual(["moved"]);
    expect(
      completedColumn(area, "SELECT count(*) FROM tests WHERE run_id = 2 AND comment = 'again'"),
    ).toEqual([1]);
  });

  it("that died once everything was back is finished by the next one, which waits for its own grace", async () => {
    const area = await reducedArea();
    await dieAt(area, "whole");
    const { result } = await runRestore(area, { ...run2, grace: 0 });
    expect(movedIds(result)).toEqual([2]);
    expect(result.elapsedMs).toBeLessThan(10_000);
  });

  it("is finished by a reduce where it died after everything was back, and that job says so", async () => {
    const area = await reducedArea();
    await dieAt(area, "restored");
    const { result } = await runReduce(area, { runname: "none" });
    expect(result).toMatchObject({ job: "reduce", moved: { runs: 0 }, finished: { restore: { runs: 1 } } });
    expect(completedColumn(area, "SELECT run_id FROM mtjobs_runs ORDER BY 1")).toEqual([1, 3, 4]);
    expect(idsIn(area.megatestDb)).toEqual([2]);
  });

  it("brings locked runs back with --include-locked", async () => {
    const area = newArea(atRest);
    edit(area, everywhere, (db) => db.exec("UPDATE runs SET state = 'locked' WHERE id = 3"));
    await runReduce(area, { includeLocked: true });
    const { result } = await runRestore(area, { includeLocked: true });
    expect(movedIds(result)).toEqual([1, 2, 3, 4]);
    expect(skippedBy(result)).toEqual({});
  });
});
