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
  readColumn,
  readRows,
  settleTimes,
} from "../../support/area.ts";
import {
  atRest,
  firstTime,
  movedIds,
  reducedArea,
  run2,
  runJobProcess,
  runReduce,
  runRestore,
  skippedBy,
  unionOf,
} from "../../support/queue.ts";

/** Registers a run in the cache under the target and name that run 2 has in completed-runs.db. */
function registerAgain(area: SampleArea, runId: number): void {
  const [run] = readRows(filesOf(area).completedDb, "SELECT * FROM runs WHERE id = ?", runId);
  const names = [...area.keys, "runname"];
  edit(area, ["cache"], (db) =>
    db
      .prepare(
        `INSERT INTO runs (${names.join(", ")}, state, event_time) VALUES (${names.map(() => "?").join(", ")}, 'COMPLETED', 5)`,
      )
      .run(...names.map((name) => run?.[name])),
  );
}

const completedRows = (area: SampleArea) =>
  ["runs", "tests", "test_steps", "test_data", "run_stats", "extradat", "test_rundat", "archives"].map(
    (table) => readRows(filesOf(area).completedDb, `SELECT * FROM ${table} ORDER BY id`),
  );

const namesIn = (file: string) =>
  readColumn(file, "SELECT runname FROM runs WHERE runname <> 'mtjobs-id-guard' ORDER BY id");

describe("a run whose target and name were registered again", () => {
  it("stays in completed-runs.db as a conflict, and the others come back", async () => {
    const area = await reducedArea();
    registerAgain(area, 2);
    const before = unionOf(area);
    const { result } = await runRestore(area);
    expect(skippedBy(result)).toEqual({ 2: "conflict" });
    expect(movedIds(result)).toEqual([1, 3, 4]);
    assertNothingLost(before, unionOf(area));
    expect(completedColumn(area, "SELECT run_id FROM mtjobs_runs")).toEqual([2]);
  });

  it("comes back as <name>.restored and <name>.restored-2 with --on-conflict rename", async () => {
    const area = await reducedArea();
    const [name] = completedColumn(area, "SELECT runname FROM runs WHERE id = 2");
    registerAgain(area, 2);
    const first = await runRestore(area, { ...run2, onConflict: "rename" });
    expect(first.result.runs).toMatchObject([{ id: 2, runname: `${name}.restored` }]);
    await runReduce(area, run2);
    edit(area, ["cache"], (db) =>
      db.exec(`UPDATE runs SET runname = '${name}.restored' WHERE runname = '${name}'`),
    );
    const [renamed] = completedColumn(area, "SELECT runname FROM runs WHERE id = 2");
    expect(renamed).toBe(`${name}.restored`);
    const second = await runRestore(area, { ...run2, onConflict: "rename" });
    expect(second.result.runs).toMatchObject([{ id: 2, runname: `${name}.restored.restored` }]);
    expect(namesIn(area.cacheDb)).toContain(`${name}.restored.restored`);
  });

  it("takes the next free name where the first is taken too", async () => {
    const area = await reducedArea();
    const [name] = completedColumn(area, "SELECT runname FROM runs WHERE id = 2");
    registerAgain(area, 2);
    edit(area, ["cache"], (db) =>
      db.exec(`INSERT INTO runs (${area.keys.join(", ")}, runname)
        SELECT ${area.keys.join(", ")}, runname || '.restored' FROM runs WHERE runname = '${name}'`),
    );
    const { result } = await runRestore(area, { ...run2, onConflict: "rename" });
    expect(result.runs).toMatchObject([{ id: 2, runname: `${name}.restored-2` }]);
  });

  it.each(["brought-to-area", "brought-to-ref"] as const)(
    "in the middle of the restore, after %s, undoes it and loses nothing of either run",
    async (step) => {
      const area = await reducedArea();
      const before = completedRows(area);
      const { result } = await runRestore(area, run2, {
        failpoint: firstTime(step, () => {
          registerAgain(area, 2);
        }),
      });
      expect(skippedBy(result)).toEqual({ 2: "conflict" });
      expect(result.moved.runs).toBe(0);
      // both runs have one name, so the copies are compared alone
      expect(completedRows(area)).toEqual(before);
      expect(completedColumn(area, "SELECT state FROM mtjobs_runs WHERE run_id = 2")).toEqual(["moved"]);
      for (const place of everywhere) {
        expect(readColumn(fileOf(area, place), "SELECT id FROM tests WHERE run_id = 2")).toEqual([]);
      }
      expect(namesIn(area.cacheDb)).toEqual(completedColumn(area, "SELECT runname FROM runs WHERE id = 2"));
    },
  );
});

describe("a run that meets a late row of its own name while it is being restored", () => {
  it("is reported as changed, not as a conflict, takes the row along, and comes back with the next job", async () => {
    const area = await reducedArea();
    const [test] = readRows(filesOf(area).completedDb, "SELECT * FROM tests WHERE run_id = 2");
    const { result } = await runRestore(area, run2, {
      failpoint: firstTime("brought-to-ref", () => {
        edit(area, ["cache"], (db) =>
          db
            .prepare(
              "INSERT INTO tests (id, run_id, testname, item_path, state) VALUES (7000, 2, ?, ?, 'COMPLETED')",
            )
            .run(test?.testname, test?.item_path),
        );
      }),
    });
    expect(skippedBy(result)).toEqual({ 2: "changed" });
    expect(completedColumn(area, "SELECT id FROM tests WHERE id = 7000")).toEqual([7000]);
    expect(movedIds((await runRestore(area, run2)).result)).toEqual([2]);
    expect(readColumn(area.megatestDb, "SELECT run_id FROM tests WHERE id = 7000")).toEqual([2]);
  });
});

describe("asking for runs by their ids", () => {
  it("ends with exit 3 where a conflict holds back all of them, and with 0 where others came back", async () => {
    const area = await reducedArea();
    registerAgain(area, 2);
    const held = await runJobProcess("restore", area, ["--run-id", "2", "--grace", "0s"]);
    expect(held.code).toBe(3);
    expect(JSON.parse(held.stdout)).toMatchObject({ state: "completed", skippedCounts: { conflict: 1 } });
    const some = await runJobProcess("restore", area, ["--run-id", "2,3", "--grace", "0s"]);
    expect(some.code).toBe(0);
  });

  it("gives a warning if no run has them, or only the other database, or under a new id", async () => {
    const area = newArea(atRest);
    const warned = async (job: typeof runReduce | typeof runRestore, runId: number[]) =>
      (await job(area, { runname: undefined, runId })).result.warnings.join("\n");
    expect(await warned(runReduce, [2, 98, 99])).toBe(
      "no run in megatest.db and its cache has these ids: 98, 99",
    );
    expect(await warned(runReduce, [2])).toBe(
      "already in completed-runs.db, not in megatest.db and its cache: 2",
    );
    expect(await warned(runRestore, [3, 97])).toBe(
      "already in megatest.db or its cache, not in completed-runs.db: 3\nno run in completed-runs.db has these ids: 97",
    );
    edit(area, everywhere, (db) => {
      db.exec("DELETE FROM runs WHERE state = 'deleted'");
      db.exec("INSERT INTO runs (id, runname, state, event_time) VALUES (2, 'a stranger', 'COMPLETED', 5)");
    });
    await runReduce(area, { runname: "none" });
    const [id] = completedColumn(area, "SELECT id FROM runs");
    expect(await warned(runRestore, [2])).toBe(`the run with id 2 now has id ${id}: use that`);
  });
});

describe("a run whose id was handed out again", () => {
  it("comes back under a new id throughout and says which it had", async () => {
    const area = await reducedArea();
    cleanUp(everywhere.map((place) => fileOf(area, place)));
    settleTimes(area);
    edit(area, ["cache"], (db) => {
      db.exec("INSERT INTO runs (id, runname, state) VALUES (2, 'a stranger', 'COMPLETED')");
      db.exec("INSERT INTO tests (run_id, testname, state) VALUES (2, 'of the stranger', 'COMPLETED')");
    });
    const [name] = completedColumn(area, "SELECT runname FROM runs WHERE id = 2");
    const tests = completedColumn(
      area,
      "SELECT testname || item_path FROM tests WHERE run_id = 2 ORDER BY 1",
    );
    const { result } = await runRestore(area, { runname: String(name) });
    const [run] = result.runs;
    expect(run).toMatchObject({ runname: name, previousId: 2 });
    for (const place of everywhere) {
      const file = fileOf(area, place);
      expect(readColumn(file, "SELECT runname FROM runs WHERE id = ?", run?.id ?? 0)).toEqual([name]);
      expect(
        readColumn(file, "SELECT testname || item_path FROM tests WHERE run_id = ? ORDER BY 1", run?.id ?? 0),
      ).toEqual(tests);
      expect(
        readColumn(
          file,
          "SELECT count(*) FROM test_steps WHERE test_id NOT IN (SELECT id FROM tests) AND test_id IS NOT NULL",
        ),
      ).toEqual([0]);
    }
    expect(readColumn(area.cacheDb, "SELECT runname FROM runs WHERE id = 2")).toEqual(["a stranger"]);
  });

  it("still says which it had where it was half restored once and taken out again", async () => {
    const area = await reducedArea();
    cleanUp(everywhere.map((place) => fileOf(area, place)));
    settleTimes(area);
    edit(area, ["cache"], (db) =>
      db.exec("INSERT INTO runs (id, runname, state) VALUES (2, 'a stranger', 'COMPLETED')"),
    );
    const [name] = completedColumn(area, "SELECT runname FROM runs WHERE id = 2");
    const failpoint = (step: string) => {
      if (step === "brought-to-area") throw new Error("died");
    };
    const selector = { runname: String(name) };
    await expect(runRestore(area, selector, { failpoint })).rejects.toThrow("died");
    expect((await runRestore(area, selector)).result.runs).toMatchObject([{ previousId: 2 }]);
  });
});

describe("a run whose id goes to another run while it is being restored", () => {
  it("comes out of the others again, and the new run stays what and where it is", async () => {
    const area = await reducedArea();
    const before = unionOf(area);
    const register = (step: string) => {
      if (step !== "brought-to-ref") return;
      cleanUp([area.cacheDb]);
      edit(area, ["cache"], (db) => {
        db.exec("INSERT INTO runs (id, runname, state, event_time) VALUES (4, 'anew', 'n/a', 5)");
      });
    };
    const { result } = await runRestore(area, { ...run2, runId: [4] }, { failpoint: register });
    expect(skippedBy(result)).toEqual({ 4: "conflict" });
    expect(result.warnings.join()).toContain("Megatest reused an id");
    expect(readColumn(area.cacheDb, "SELECT runname FROM runs WHERE id = 4")).toEqual(["anew"]);
    expect(readColumn(area.megatestDb, "SELECT count(*) FROM tests WHERE run_id = 4")).toEqual([0]);
    assertNothingLost(before, unionOf(area), { newIds: true, newRecords: true });
    const { result: later } = await runRestore(area, run2);
    expect(movedIds(later)).toEqual([2]);
    expect(namesIn(area.cacheDb)).toContain("anew");
    expect(completedColumn(area, "SELECT count(*) FROM runs WHERE runname = 'anew' OR id = 4")).toEqual([0]);
    expect((await runRestore(area)).result.runs).toMatchObject([{ id: 1 }, { id: 3 }, { previousId: 4 }]);
  });
});
