import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { JobsError } from "../../../shared/errors.ts";
import {
  cleanUp,
  completedColumn,
  edit,
  everywhere,
  makeRefillDue,
  newArea,
  openClient,
  readColumn,
  readRows,
  settleTimes,
  syncOnce,
  temporaryDirectory,
} from "../../support/area.ts";
import { atRest, firstTime, runImport, runPurge, runReduce, runRestore } from "../../support/queue.ts";

// A test that completed-runs.db has only as a version, with versions of its steps and data: it lost to a test of the same
// name under another id.

const nothing = { runname: "no such run" };
const target = { sysname: "u", fsname: "n", datapath: "d" };

const completedDb = ({ directory }: SampleArea) => join(directory, "completed-runs.db");
const versions = (file: string) =>
  readRows(file, "SELECT table_name, row_id, row FROM mtjobs_superseded ORDER BY id");
const childrenIn = (file: string) =>
  versions(file).filter(({ table_name }) => table_name === "test_steps" || table_name === "test_data").length;

/** Returns the export's file; empty without one. */
async function purged(area: SampleArea, run: unknown, directory: string | false = temporaryDirectory()) {
  const options = { export: directory, confirmed: true, runname: undefined, runId: [String(run)] };
  const { result } = await runPurge(area, options);
  return result.runs[0]?.exportFile ?? "";
}

/**
 * Run 3 has moved. Its newest test was started again under another id, which was not synced yet: the first one is kept,
 * with 11 steps and data.
 */
async function areaWithKeptTest(): Promise<{ area: SampleArea; test: number }> {
  const area = newArea({ ...atRest, runs: 3, testsPerRun: 3 });
  const test = Number(readRows(area.cacheDb, "SELECT max(id) AS id FROM tests WHERE run_id = 3")[0]?.id);
  edit(area, ["cache"], (db) =>
    db.exec(`DELETE FROM test_steps WHERE test_id = ${test}; DELETE FROM test_data WHERE test_id = ${test};
      UPDATE tests SET id = id + 1, comment = 'again' WHERE id = ${test}`),
  );
  await runReduce(area, { runname: undefined, runId: [3] });
  expect(childrenIn(completedDb(area))).toBe(11);
  return { area, test };
}

/** Adds run 9 with a test of that id, and a step of it that the cache has in a newer version. */
function reuse(area: SampleArea, test: number): void {
  edit(area, everywhere, (db) =>
    db.exec(`INSERT INTO runs (id, runname, state, event_time) VALUES (9, 'anew', 'COMPLETED', 5);
      INSERT INTO tests (id, run_id, testname, item_path, state, event_time) VALUES (${test}, 9, 'anew', '', 'COMPLETED', 5);
      INSERT INTO test_steps (id, test_id, stepname, state, status, event_time, comment)
        VALUES (5000000, ${test}, 'nine', 'end', '0', 5, 'of nine')`),
  );
  edit(area, ["cache"], (db) =>
    db.exec("UPDATE test_steps SET comment = 'of nine, newer' WHERE id = 5000000"),
  );
}

const ofNine = (file: string) => versions(file).filter(({ row }) => String(row).includes("nine")).length;

describe("versions of the steps and data of a test that is only kept", () => {
  it.each<{ purges: number[]; left: number }>([
    { purges: [3], left: 1 },
    { purges: [9], left: 11 },
    { purges: [9, 3], left: 0 },
  ])("go with their run where another run has its id by now: purge of $purges", async ({ purges, left }) => {
    const { area, test } = await areaWithKeptTest();
    cleanUp([area.cacheDb, area.refDb, area.megatestDb]);
    reuse(area, test);
    await runReduce(area, { runname: "anew" });
    expect(ofNine(completedDb(area))).toBe(1);
    for (const run of purges) {
      const file = await purged(area, run);
      expect([childrenIn(file), ofNine(file)]).toEqual(run === 9 ? [1, 1] : [11, 0]);
    }
    expect(childrenIn(completedDb(area))).toBe(left);
  });

  it.each(["was restored", "never moved"])(
    "do not take along those of another run that has its id by now, and %s",
    async (how) => {
      const { area, test } = await areaWithKeptTest();
      cleanUp([area.cacheDb, area.refDb, area.megatestDb]);
      reuse(area, test);
      if (how === "was restored") {
        await runReduce(area, { runname: "anew" });
        await runRestore(area, { runname: "anew" });
      } else {
        makeRefillDue(area);
        await runReduce(area, nothing);
      }
      await purged(area, 3, false);
      expect([childrenIn(completedDb(area)), ofNine(completedDb(area))]).toEqual([1, 1]);
    },
  );

  it("go with their run where a restore left completed-runs.db without runs, and the id came to another run then", async () => {
    const { area, test } = await areaWithKeptTest();
    await runRestore(area, { runname: undefined, runId: [3] });
    expect(completedColumn(area, "SELECT count(*) FROM runs")).toEqual([0]);
    cleanUp([area.cacheDb, area.refDb, area.megatestDb]);
    reuse(area, test);
    await runReduce(area, { runname: "anew" });
    const file = await purged(area, 9);
    expect([childrenIn(file), ofNine(file)]).toEqual([1, 1]);
    expect([childrenIn(completedDb(area)), ofNine(completedDb(area))]).toEqual([11, 0]);
  });

  it("go with their run where its purge died, and the id came to another run then", async () => {
    const { area, test } = await areaWithKeptTest();
    const died = runPurge(
      area,
      { export: temporaryDirectory(), runname: undefined, runId: ["3"] },
      {
        failpoint: firstTime("purging", () => {
          throw new JobsError("stopped", "died");
        }),
      },
    );
    await expect(died).rejects.toThrow("died");
    cleanUp([area.cacheDb, area.refDb, area.megatestDb]);
    reuse(area, test);
    await runReduce(area, nothing);
    expect(versions(completedDb(area))).toEqual([]);
  });

  it.each(["never moved", "was restored"])(
    "leave those of another run that has its id below the guards, as before an upgrade, and %s",
    async (how) => {
      const { area, test } = await areaWithKeptTest();
      reuse(area, test);
      if (how === "never moved") {
        makeRefillDue(area);
        await runReduce(area, nothing);
      } else {
        await runReduce(area, { runname: "anew" });
        await runRestore(area, { runname: "anew" });
      }
      await purged(area, 3, false);
      expect(ofNine(completedDb(area))).toBe(1);
    },
  );

  it.each<{ purges: number[] }>([{ purges: [9] }, { purges: [3, 9] }])(
    "stay where the id came to another run below the guards, as before an upgrade: purge of $purges",
    async ({ purges }) => {
      const { area, test } = await areaWithKeptTest();
      reuse(area, test);
      await runReduce(area, { runname: "anew" });
      for (const run of purges) expect(await purged(area, run)).not.toBe("");
      expect(childrenIn(completedDb(area))).toBe(12);
    },
  );
});

/** Run 3 has moved, and a client that lost it has registered a test of it again, with a step: both are kept. */
async function areaWithLateTest(): Promise<{ area: SampleArea; late: number }> {
  const area = newArea({ ...atRest, runs: 3, testsPerRun: 3 });
  await runReduce(area, { runname: undefined, runId: [3] });
  const [name] = completedColumn(area, "SELECT testname FROM tests WHERE run_id = 3 AND item_path = ''");
  const client = openClient(area.cacheDb);
  const late = client.registerTest(3, String(name));
  client.setState(late, "COMPLETED", "PASS", "late one");
  client.reportStep(late, "late step", "end", "0", "late step");
  client.close();
  settleTimes(area);
  await runReduce(area, nothing);
  expect(versions(completedDb(area)).map(({ table_name }) => table_name)).toEqual(["tests", "test_steps"]);
  return { area, late };
}

/** Registers runs of one test each until one has that id. */
function registerUpTo(area: SampleArea, test: number): void {
  const client = openClient(area.cacheDb);
  for (let run = 1, last = 0; last < test; run++) {
    last = client.registerTest(client.registerRun(target, `anew${run}`), "anew");
    client.setState(last, "COMPLETED", "PASS");
  }
  client.close();
  settleTimes(area);
}

describe("the id of a test that is only kept", () => {
  it("is below the guards, as that of any row of which a job has kept a version", async () => {
    const { area } = await areaWithLateTest();
    registerUpTo(area, 20);
    await syncOnce(area, { quietMs: 0 });
    for (const [place, comment] of [
      ["cache", "here"],
      ["area", "there"],
    ] as const)
      edit(area, [place], (db) => db.prepare("UPDATE tests SET comment = ? WHERE id = 20").run(comment));
    makeRefillDue(area);
    await runReduce(area, nothing);
    expect(
      completedColumn(area, "SELECT max(row_id) FROM mtjobs_superseded WHERE table_name = 'tests'"),
    ).toEqual([20]);
    const [guard] = readColumn(area.cacheDb, "SELECT id FROM tests WHERE testname = 'mtjobs-id-guard'");
    expect(guard).toBeGreaterThan(20);
  });

  it("goes to no moved test that gets a new one", async () => {
    const { area, late } = await areaWithLateTest();
    cleanUp([area.cacheDb, area.refDb, area.megatestDb]);
    registerUpTo(area, 7);
    await runReduce(area, nothing);
    const renumbered = completedColumn(
      area,
      "SELECT new_id FROM mtjobs_renumbered WHERE table_name = 'tests'",
    );
    expect(renumbered.length).toBeGreaterThan(0);
    expect(renumbered).not.toContain(late);
  });

  it("is a new one after an import if another run has it by now", async () => {
    const { area, late } = await areaWithLateTest();
    const file = await purged(area, 3);
    const exported = versions(file);
    expect(exported).toHaveLength(2);
    cleanUp([area.cacheDb, area.refDb, area.megatestDb]);
    registerUpTo(area, late);
    await runReduce(area, { runname: "anew%" });
    const { result } = await runImport(area, file);
    expect(completedColumn(area, `SELECT run_id FROM tests WHERE id = ${late}`)).toHaveLength(1);
    expect(versions(completedDb(area)).map(({ row_id }) => row_id)).not.toContain(late);
    expect(versions(await purged(area, result.runs[0]?.id))).toHaveLength(2);
  });

  it("is a new one where it is given out again in the job that kept the test", async () => {
    const area = newArea({ ...atRest, runs: 3, testsPerRun: 3 });
    await runReduce(area, { runname: undefined, runId: [3] });
    const [name] = completedColumn(area, "SELECT testname FROM tests WHERE run_id = 3 AND item_path = ''");
    const client = openClient(area.cacheDb);
    const moved = Number(completedColumn(area, "SELECT min(id) FROM tests WHERE run_id = 3")[0]);
    client.reportStep(moved, "late", "end", "0", "late word");
    settleTimes(area);
    let [late, live] = [0, 0];
    const registerLate = firstTime("guarded-in-area", () => {
      late = client.registerTest(3, String(name));
      client.setState(late, "COMPLETED", "PASS", "late one");
    });
    const registerNew = firstTime("committed-in-cache", () => {
      live = client.registerTest(client.registerRun(target, "anew"), "anew");
    });
    const failpoint = (step: string) => {
      registerLate(step);
      registerNew(step);
    };
    await runReduce(area, nothing, { failpoint });
    client.close();
    expect(live).toBe(late);
    expect(versions(completedDb(area)).map(({ row_id }) => row_id)).not.toContain(late);
  });

  it("means the test that has it in the cache: nothing of that is taken for a late report", async () => {
    const area = newArea({ ...atRest, runs: 3, testsPerRun: 3 });
    const test = Number(readRows(area.cacheDb, "SELECT max(id) AS id FROM tests WHERE run_id = 3")[0]?.id);
    const say = (place: "cache" | "area", table: string, id: number, comment: string) =>
      edit(area, [place], (db) =>
        db.prepare(`UPDATE ${table} SET comment = ? WHERE id = ?`).run(comment, id),
      );
    // A due refill has versions kept before anything has moved.
    say("cache", "tests", test, "here");
    say("area", "tests", test, "there");
    makeRefillDue(area);
    await runReduce(area, nothing);
    edit(area, everywhere, (db) =>
      db.exec(`DELETE FROM test_steps WHERE test_id = ${test}; DELETE FROM test_data WHERE test_id = ${test};
        DELETE FROM tests WHERE id = ${test}`),
    );
    reuse(area, test);
    makeRefillDue(area);
    await runReduce(area, nothing);
    for (const place of ["cache", "area"] as const) say(place, "test_steps", 5_000_000, "of nine");
    await runReduce(area, { runname: undefined, runId: [3] });
    const client = openClient(area.cacheDb);
    client.reportStep(Number(completedColumn(area, "SELECT min(id) FROM tests")[0]), "late", "end", "0");
    client.close();
    settleTimes(area);
    expect((await runReduce(area, nothing)).result.late).toBe(1);
    expect(readColumn(area.cacheDb, "SELECT comment FROM test_steps WHERE id = 5000000")).toEqual([
      "of nine",
    ]);
  });
});
