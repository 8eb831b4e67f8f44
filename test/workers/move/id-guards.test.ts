import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  cleanUp,
  completedColumn,
  edit,
  filesOf,
  newArea,
  readColumn,
  readRows,
  refill,
  settleTimes,
  syncOnce,
} from "../../support/area.ts";
import { movedIds, reduceSafely, runReduce, runReduceProcess, unionOf } from "../../support/queue.ts";

const finished = { runs: 4, inFlight: 0, testsPerRun: 4 };
const identified = ["runs", "tests", "test_steps", "test_data"] as const;

/** Registers a run with a test, a step and a datum in the cache as Megatest does: SQLite hands out the ids. */
function register(area: SampleArea, runname: string): number {
  let run = 0;
  edit(area, ["cache"], (db) => {
    const add = (sql: string, ...values: unknown[]) => Number(db.prepare(sql).run(...values).lastInsertRowid);
    run = add(
      "INSERT INTO runs (sysname, fsname, datapath, runname, state) VALUES ('a', 'b', 'c', ?, 'COMPLETED')",
      runname,
    );
    const test = add(
      "INSERT INTO tests (run_id, testname, uname, state, event_time) VALUES (?, 'new', 'Linux', 'COMPLETED', 5)",
      run,
    );
    add("INSERT INTO test_steps (test_id, stepname, state) VALUES (?, 'only', 'end')", test);
    add("INSERT INTO test_data (test_id, category, variable) VALUES (?, 'only', 'one')", test);
    add("INSERT INTO extradat (run_id, key) VALUES (?, 'of the new run')", run);
  });
  return run;
}

/** Megatest's clean-up everywhere: the hidden rows that guard ids go. */
function cleanUpAll(area: SampleArea): void {
  cleanUp([area.cacheDb, area.refDb, area.megatestDb]);
  settleTimes(area);
}

const idsOf = (area: SampleArea, table: string) =>
  completedColumn(area, `SELECT id FROM ${table}`) as number[];

describe("when the newest run has moved", () => {
  it("Megatest registers new runs, tests, steps and data under ids that no moved row has", async () => {
    const area = newArea(finished);
    const { result } = await reduceSafely(area);
    expect(result.moved.runs).toBe(4);
    const moved = Object.fromEntries(identified.map((table) => [table, new Set(idsOf(area, table))]));
    register(area, "after");
    register(area, "later");
    for (const table of identified) {
      const ids = readColumn(area.cacheDb, `SELECT id FROM ${table}`) as number[];
      expect(ids.filter((id) => moved[table]?.has(id))).toEqual([]);
    }
    const { result: next } = await reduceSafely(area);
    expect(next.moved.runs).toBe(2);
    expect(next.warnings).toEqual([]);
  });

  it("hidden rows guard the ids, the same in all three databases, and neither sync nor refill carries anything", async () => {
    const area = newArea({ ...finished, unsynced: false });
    await reduceSafely(area);
    const guards = (file: string) => [
      ...readRows(file, "SELECT * FROM runs"),
      ...readRows(file, "SELECT * FROM tests"),
      ...readRows(file, "SELECT id, test_id, stepname FROM test_steps"),
      ...readRows(file, "SELECT id, test_id, variable FROM test_data"),
    ];
    expect(guards(area.cacheDb)).toHaveLength(4);
    expect(guards(area.cacheDb)[0]).toMatchObject({ state: "deleted", runname: "mtjobs-id-guard" });
    expect(guards(area.cacheDb)[1]).toMatchObject({ state: "DELETED" });
    expect(guards(area.refDb)).toEqual(guards(area.cacheDb));
    expect(guards(area.megatestDb)).toEqual(guards(area.cacheDb));
    expect((await syncOnce(area, { quietMs: 0 })).rows).toEqual({});
    expect(await refill(area)).toEqual({});
  });

  it("the guards never move and are never reported, and later jobs leave them in place while they are needed", async () => {
    const area = newArea(finished);
    await reduceSafely(area);
    const guard = readColumn(area.cacheDb, "SELECT id FROM runs");
    const { result } = await reduceSafely(area, { includeLocked: true, runname: "mtjobs%" });
    expect(result).toMatchObject({ moved: { runs: 0 }, skipped: [] });
    await reduceSafely(area, { runname: undefined, runId: guard as number[] });
    expect(readColumn(area.cacheDb, "SELECT id FROM runs")).toEqual(guard);
    expect(completedColumn(area, "SELECT count(*) FROM runs WHERE runname = 'mtjobs-id-guard'")).toEqual([0]);
  });

  it("they are raised again by the next job that moves a run after a clean-up removed them", async () => {
    const area = newArea({ ...finished, runs: 6, inFlight: 0 });
    await reduceSafely(area, { runname: undefined, runId: [1, 2, 6] });
    cleanUpAll(area);
    expect(readColumn(area.cacheDb, "SELECT count(*) FROM runs WHERE state = 'deleted'")).toEqual([0]);
    await reduceSafely(area, { runname: undefined, runId: [3] });
    for (const file of [area.cacheDb, area.refDb, area.megatestDb]) {
      expect(readColumn(file, "SELECT id FROM runs WHERE state = 'deleted'")).toEqual([7]);
    }
  });
});

describe("when a clean-up removed the guards and new runs took the ids of moved ones", () => {
  /** Runs 3 and 4 moved; then two new runs were registered under their ids, and their tests under the tests'. */
  async function clashingArea(
    options: { cacheWal?: boolean } = {},
  ): Promise<{ area: SampleArea; runs: number[] }> {
    const area = newArea({ ...finished, unsynced: false, ...options });
    await reduceSafely(area, { runname: undefined, runId: [3, 4] });
    cleanUpAll(area);
    const runs = [register(area, "new 1"), register(area, "new 2")];
    expect(runs).toEqual([3, 4]);
    return { area, runs };
  }

  it("the next job gives the moved rows new ids throughout, and records them", async () => {
    const { area } = await clashingArea();
    const { result } = await reduceSafely(area, { runname: "nothing" }, { losses: { newIds: true } });
    expect(result.warnings.join()).toMatch(/4 moved rows got a new one/);
    const renumbered = readRows(
      filesOf(area).completedDb,
      "SELECT table_name, old_id, new_id FROM mtjobs_renumbered",
    );
    expect(renumbered.filter(({ table_name }) => table_name === "runs").map(({ old_id }) => old_id)).toEqual([
      3, 4,
    ]);
    for (const { table_name, new_id } of renumbered) {
      expect(
        completedColumn(area, `SELECT count(*) FROM ${table_name} WHERE id = ?`, new_id ?? null),
      ).toEqual([1]);
    }
    expect(completedColumn(area, "SELECT run_id FROM mtjobs_runs ORDER BY 1")).toEqual(
      completedColumn(area, "SELECT id FROM runs ORDER BY 1"),
    );
  });

  it("what hangs on the rows follows, and no row says that it was updated", async () => {
    const { area } = await clashingArea();
    const completed = (sql: string) => completedColumn(area, sql);
    const sql = {
      times:
        "SELECT last_update FROM runs UNION ALL SELECT last_update FROM tests UNION ALL SELECT last_update FROM test_steps ORDER BY 1",
      steps:
        "SELECT r.runname || t.testname || t.item_path || s.stepname || s.state FROM test_steps AS s JOIN tests AS t ON t.id = s.test_id JOIN runs AS r ON r.id = t.run_id ORDER BY 1",
      rundat:
        "SELECT r.runname || t.item_path || d.update_time FROM test_rundat AS d JOIN tests AS t ON t.id = d.test_id JOIN runs AS r ON r.id = t.run_id ORDER BY 1",
      notes: "SELECT r.runname || e.key FROM extradat AS e JOIN runs AS r ON r.id = e.run_id ORDER BY 1",
    };
    const before = Object.values(sql).map(completed);
    await reduceSafely(area, { runname: "nothing" }, { losses: { newIds: true } });
    expect(Object.values(sql).map(completed)).toEqual(before);
    expect(completed("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'")).toEqual([6]);
  });

  it("the new runs move under their own ids, beside the renumbered ones", async () => {
    const { area, runs } = await clashingArea({ cacheWal: true });
    const { result } = await reduceSafely(area, {}, { losses: { newIds: true } });
    expect(movedIds(result)).toEqual([1, 2, ...runs]);
    expect(completedColumn(area, "SELECT runname FROM runs WHERE id IN (3, 4) ORDER BY id")).toEqual([
      "new 1",
      "new 2",
    ]);
    expect(completedColumn(area, "SELECT count(*) FROM runs")).toEqual([6]);
  });

  it("rows of the new runs are not taken for late reports of the moved ones", async () => {
    const { area } = await clashingArea();
    const { result } = await reduceSafely(area, { runname: "nothing" }, { losses: { newIds: true } });
    expect(result.late).toBe(0);
    expect(readColumn(area.cacheDb, "SELECT runname FROM runs WHERE state <> 'deleted' AND id > 2")).toEqual([
      "new 1",
      "new 2",
    ]);
    expect(readColumn(area.cacheDb, "SELECT key FROM extradat WHERE run_id > 2")).toEqual([
      "of the new run",
      "of the new run",
    ]);
  });

  it("a run registered in megatest.db and not in the cache is found as well", async () => {
    const area = newArea({ ...finished, unsynced: false });
    await reduceSafely(area, { runname: undefined, runId: [4] });
    cleanUpAll(area);
    edit(area, ["area"], (db) =>
      db.exec("INSERT INTO runs (id, sysname, runname, state) VALUES (4, 'x', 'there', 'COMPLETED')"),
    );
    await reduceSafely(area, { runname: "nothing" }, { losses: { newIds: true } });
    expect(completedColumn(area, "SELECT old_id FROM mtjobs_renumbered WHERE table_name = 'runs'")).toEqual([
      4,
    ]);
  });

  it("nothing is renumbered where a clean-up removed the guards and nothing was registered since", async () => {
    const area = newArea({ ...finished, unsynced: false });
    await reduceSafely(area, { runname: undefined, runId: [4] });
    cleanUpAll(area);
    await reduceSafely(area, { runname: "nothing" });
    expect(completedColumn(area, "SELECT count(*) FROM mtjobs_renumbered")).toEqual([0]);
  });

  it("a moved row that a sync put back under its id is no clash: it is removed, and nothing is renumbered", async () => {
    const area = newArea({ ...finished, unsynced: false });
    const [row] = readRows(area.megatestDb, "SELECT * FROM runs WHERE id = 4");
    await reduceSafely(area, { runname: undefined, runId: [4] });
    cleanUpAll(area);
    const names = Object.keys(row ?? {});
    edit(area, ["area"], (db) =>
      db
        .prepare(`INSERT INTO runs (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`)
        .run(...names.map((name) => row?.[name])),
    );
    await reduceSafely(area, { runname: "nothing" });
    expect(completedColumn(area, "SELECT count(*) FROM mtjobs_renumbered")).toEqual([0]);
    expect(
      readColumn(area.megatestDb, "SELECT count(*) FROM runs WHERE id = 4 AND state <> 'deleted'"),
    ).toEqual([0]);
  });

  it.each(["clash-noted", "clash-guarded", "late-collected"])(
    "a job killed at %s leaves the rest to the next",
    async (step) => {
      const { area } = await clashingArea();
      const before = unionOf(area);
      const { signal } = await runReduceProcess(area, ["--runname", "nothing"], {
        MTJOBS_FAILPOINT: `${step}=kill`,
      });
      expect(signal).toBe("SIGKILL");
      await runReduce(area, { runname: "nothing" });
      assertNothingLost(before, unionOf(area), { newIds: true });
      expect(
        completedColumn(area, "SELECT old_id FROM mtjobs_renumbered WHERE table_name = 'runs' ORDER BY 1"),
      ).toEqual([3, 4]);
      for (const table of identified) {
        const shared = new Set(readColumn(area.cacheDb, `SELECT id FROM ${table}`));
        expect(idsOf(area, table).filter((id) => shared.has(id))).toEqual([]);
      }
    },
  );
});
