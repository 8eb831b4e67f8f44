import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  cleanUp,
  completedColumn,
  edit,
  everywhere,
  fileOf,
  filesOf,
  newArea,
  type Place,
  readColumn,
  readRows,
  type Union,
} from "../../support/area.ts";
import { firstTime, type Reduced, runReduce, runRestore, skippedBy, unionOf } from "../../support/queue.ts";

const atRest = { runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4 };
const run4 = { runname: undefined, runId: [4] };
const nothing = { runname: "none" };

/** What Megatest does to the cache, and as far as a sync came, to `places`. */
type Meanwhile = (area: SampleArea, places: readonly Place[]) => void;

/**
 * The clean-up removes the guards; then a run is registered under the id 4, that of the newest run, with tests of
 * the same names under the ids of its tests, a step under that of one of its steps, and a note.
 */
function prepareReused(area: SampleArea): Meanwhile {
  const ours = readRows(area.cacheDb, "SELECT id, testname, item_path FROM tests WHERE run_id = 4");
  const steps = readRows(area.cacheDb, "SELECT id FROM test_steps WHERE test_id = ?", ours[0]?.id ?? 0);
  return (_, places) => {
    cleanUp([area.cacheDb]);
    edit(area, places, (db, place) => {
      db.exec("REPLACE INTO runs (id, runname, state, event_time) VALUES (4, 'anew', 'COMPLETED', 5)");
      const add = db.prepare(
        `REPLACE INTO tests (id, run_id, testname, item_path, state, event_time, run_duration, uname)
         VALUES (?, 4, ?, ?, 'RUNNING', ${area.now}, 6, 'Linux')`,
      );
      for (const { id, testname, item_path } of ours) add.run(id, testname, item_path);
      db.prepare("REPLACE INTO test_steps (id, test_id, stepname, state) VALUES (?, ?, 'anew', 'end')").run(
        steps[0]?.id,
        ours[0]?.id,
      );
      if (place === "cache") db.exec("INSERT INTO extradat (run_id, key) VALUES (4, 'anew')");
    });
  };
}

const once = (step: string, act: () => void) => ({ failpoint: firstTime(step, act) });

/** The run with the reused id is unchanged, and has only its own rows. */
function expectReused(area: SampleArea, places: readonly Place[]): void {
  const tests = "SELECT id FROM tests WHERE run_id = 4";
  for (const place of places) {
    const of = (sql: string) => readColumn(fileOf(area, place), sql);
    expect(of("SELECT runname FROM runs WHERE id = 4")).toEqual(["anew"]);
    expect(new Set(of("SELECT run_duration FROM tests WHERE run_id = 4"))).toEqual(new Set([6]));
    expect(of(`SELECT stepname FROM test_steps WHERE test_id IN (${tests})`)).toEqual(["anew"]);
    for (const table of ["test_data", "test_rundat", "archives"])
      expect(of(`SELECT id FROM ${table} WHERE test_id IN (${tests})`), `${table} of ${place}`).toEqual([]);
    expect(of("SELECT id FROM run_stats WHERE run_id = 4")).toEqual([]);
    expect(of("SELECT key FROM extradat WHERE run_id = 4")).toEqual(place === "cache" ? ["anew"] : []);
  }
}

/** Our run is whole under its new id, ids mean one record each, and the job says what happened. */
function expectOurs(area: SampleArea, before: Union, { result }: Reduced): void {
  assertNothingLost(before, unionOf(area), { newIds: true, newRecords: true });
  const renumbered = "SELECT new_id FROM mtjobs_renumbered WHERE table_name = 'runs' AND old_id = 4";
  const [id] = completedColumn(area, renumbered);
  expect(completedColumn(area, "SELECT run_id FROM mtjobs_runs WHERE state = 'moved'")).toContain(id);
  expect(completedColumn(area, "SELECT count(*) FROM runs WHERE runname = 'anew' OR id = 4")).toEqual([0]);
  expect(result.warnings.join()).toMatch(/got a new one/);
  expect(result).toMatchObject({ superseded: 0, late: 0 });
}

describe("a run whose id Megatest hands out again while it is being moved", () => {
  it.each<[step: string, places: readonly Place[]]>([
    ["removed-from-cache", ["cache"]],
    ["removed-from-cache", everywhere],
    ["removed-from-ref", everywhere],
    ["moved", ["cache"]],
  ])("takes a new one, and the new run stays as it is: at %s, synced to %j", async (step, places) => {
    const area = newArea(atRest);
    const before = unionOf(area);
    const reused = prepareReused(area);
    const reduced = await runReduce(
      area,
      {},
      once(step, () => reused(area, places)),
    );
    expectReused(area, places);
    expectOurs(area, before, reduced);
    expect(reduced.result.runs.at(-1)).toMatchObject({ previousId: 4 });
    expect(reduced.result.warnings.join()).toMatch(/Megatest reused an id/);
  });

  it.each([[["cache"]], [everywhere]] as (readonly Place[])[][])(
    "takes a new one from the job that finishes a dead one's work, synced to %j",
    async (places) => {
      const area = newArea(atRest);
      const before = unionOf(area);
      const reused = prepareReused(area);
      const die = once("removed-from-cache", () => {
        throw new Error("died");
      });
      await expect(runReduce(area, run4, die)).rejects.toThrow("died");
      reused(area, places);
      const reduced = await runReduce(area, nothing);
      expectReused(area, places);
      expectOurs(area, before, reduced);
    },
  );
});

describe("the new ids of a run whose ids were reused", () => {
  it("are above all that rows refer to which Megatest left of removed tests", async () => {
    const area = newArea(atRest);
    const reused = prepareReused(area);
    await runReduce(area, run4);
    const before = unionOf(area);
    const moved =
      "SELECT d.variable FROM test_data AS d, tests AS t, runs AS r WHERE t.id = d.test_id AND r.id = t.run_id";
    const data = () => completedColumn(area, `${moved} AND r.state <> 'deleted' ORDER BY 1`);
    const ours = data();
    expect(ours.length).toBeGreaterThan(0);
    reused(area, everywhere);
    edit(area, everywhere, (db) =>
      db.exec(`INSERT INTO test_data (test_id, variable) SELECT (SELECT max(id) FROM tests) + value, 'left'
        FROM json_each('[1,2,3,4,5,6,7,8,9]')`),
    );
    for (let job = 0; job < 2; job++) await runReduce(area, nothing);
    expect(data()).toEqual(ours);
    assertNothingLost(before, unionOf(area), { newIds: true, newRecords: true });
  });
});

describe("a run whose id is another's by the time it is to be in the cache again", () => {
  it.each<[step: string, places: readonly Place[]]>([
    ["brought-to-area", ["cache"]],
    ["brought-to-ref", everywhere],
    ["brought-to-ref", ["cache", "ref"]],
  ])("is taken out again also from under it: at %s, synced to %j", async (step, places) => {
    const area = newArea(atRest);
    const before = unionOf(area);
    const reused = prepareReused(area);
    await runReduce(area);
    const restored = await runRestore(
      area,
      run4,
      once(step, () => reused(area, places)),
    );
    expect(skippedBy(restored.result)).toEqual({ 4: "conflict" });
    expectReused(area, places);
    expectOurs(area, before, restored);
  });

  it("is taken out by the next job where the restore died", async () => {
    const area = newArea(atRest);
    const before = unionOf(area);
    const reused = prepareReused(area);
    await runReduce(area);
    const die = once("brought-to-ref", () => {
      throw new Error("died");
    });
    await expect(runRestore(area, run4, die)).rejects.toThrow("died");
    reused(area, everywhere);
    const reduced = await runReduce(area, nothing);
    expectReused(area, everywhere);
    expectOurs(area, before, reduced);
  });
});

describe("a test whose id Megatest hands out again while its run is being moved", () => {
  it.each([
    ["that comes late for the same run", 4],
    ["of a run that stays", 3],
  ])("gives way to one %s", async (_, run) => {
    const area = newArea(atRest);
    const before = unionOf(area);
    const [id] = readColumn(area.cacheDb, "SELECT max(id) FROM tests WHERE run_id = 4");
    const { result } = await runReduce(
      area,
      run4,
      once("removed-from-cache", () => {
        cleanUp([area.cacheDb]);
        edit(area, ["cache"], (db) =>
          db.exec(`INSERT INTO tests (id, run_id, testname, item_path, state, event_time)
            VALUES (${id}, ${run}, 'anew', '', 'COMPLETED', 5)`),
        );
      }),
    );
    expect(result.warnings.join()).toMatch(/got a new one/);
    const file = run === 4 ? filesOf(area).completedDb : area.cacheDb;
    expect(readRows(file, "SELECT id, run_id FROM tests WHERE testname = 'anew'")).toEqual([
      { id, run_id: run },
    ]);
    assertNothingLost(before, unionOf(area), { newIds: true, newRecords: true });
  });
});

describe("a test whose id another run's test has in the cache, before any sync", () => {
  it("is kept as megatest.db has it with its steps, and the other run's test stays where it is", async () => {
    const area = newArea({ runs: 3, inFlight: 0, unsynced: false, testsPerRun: 3 });
    const [id] = readColumn(area.cacheDb, "SELECT max(id) FROM tests WHERE run_id = 3");
    // As -remove-runs leaves it, and then a new test of the first run.
    edit(area, ["cache"], (db) =>
      db.exec(`DELETE FROM test_steps WHERE test_id = ${id}; DELETE FROM test_data WHERE test_id = ${id}; DELETE FROM tests WHERE id = ${id};
        INSERT INTO tests (id, run_id, testname, item_path, state, event_time) VALUES (${id}, 1, 'rerun', '', 'COMPLETED', 5);
        INSERT INTO test_steps (test_id, stepname, state, status) VALUES (${id}, 'new', 'end', '0')`),
    );
    const lost = readRows(area.megatestDb, "SELECT * FROM test_steps WHERE test_id = ?", id ?? 0).length;
    const { result } = await runReduce(area, { runname: undefined, runId: [2, 3] });
    expect(result.moved.runs).toBe(2);
    expect(
      completedColumn(area, "SELECT DISTINCT run_id FROM tests WHERE state <> 'DELETED' ORDER BY 1"),
    ).toEqual([2, 3]);
    expect(completedColumn(area, "SELECT count(*) FROM test_steps WHERE test_id = ?", id ?? 0)).toEqual([0]);
    const kept = "SELECT count(*) FROM mtjobs_superseded WHERE table_name = ?";
    expect(["tests", "test_steps"].flatMap((table) => completedColumn(area, kept, table))).toEqual([1, lost]);
    expect((await runReduce(area)).result).toMatchObject({ moved: { runs: 1 }, skipped: [] });
    expect(completedColumn(area, "SELECT run_id FROM tests WHERE id = ?", id ?? 0)).toEqual([1]);
    expect(completedColumn(area, "SELECT stepname FROM test_steps WHERE test_id = ?", id ?? 0)).toEqual([
      "new",
    ]);
  });
});
