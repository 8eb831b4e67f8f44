import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  cleanUp,
  completedColumn,
  edit,
  newArea,
  openClient,
  readColumn,
  removeRuns,
  settleTimes,
} from "../../support/area.ts";
import { atRest, firstTime, runReduce, runRestore } from "../../support/queue.ts";

const nothing = { runname: "no such run" };

/** Run 3 has moved. Returns one of its tests. */
async function movedArea(): Promise<{ area: SampleArea; test: number }> {
  const area = newArea({ ...atRest, runs: 3, testsPerRun: 3 });
  await runReduce(area, { runname: undefined, runId: [3] });
  return { area, test: Number(completedColumn(area, "SELECT max(id) FROM tests WHERE run_id = 3")[0]) };
}

const guardOf = (area: SampleArea) =>
  Number(readColumn(area.cacheDb, "SELECT id FROM test_steps WHERE stepname = 'mtjobs-id-guard'")[0]);

describe("a late step", () => {
  it("is collected under an id that a step of a deleted run had when a job searched last", async () => {
    const { area, test } = await movedArea();
    const client = openClient(area.cacheDb);
    const run = client.registerRun({ sysname: "u", fsname: "n", datapath: "d" }, "anew");
    const other = client.registerTest(run, "anew");
    const had = [1, 2, 3].map((n) => client.reportStep(other, `s${n}`, "end", "0"));
    settleTimes(area);
    await runReduce(area, nothing);
    removeRuns(area.cacheDb, [run]);
    const late = [1, 2, 3].map((n) => client.reportStep(test, `late${n}`, "end", "0", `late word ${n}`));
    client.close();
    expect(late).toEqual(had);
    settleTimes(area);
    const { result } = await runReduce(area, nothing);
    expect(result.late).toBe(3);
    cleanUp([area.cacheDb, area.refDb, area.megatestDb]);
    expect(
      completedColumn(area, "SELECT comment FROM test_steps WHERE comment LIKE 'late %' ORDER BY id"),
    ).toEqual(["late word 1", "late word 2", "late word 3"]);
  });

  it("is searched for up to the guard only, which is raised once many steps are above it", async () => {
    const { area } = await movedArea();
    const [live] = readColumn(area.cacheDb, "SELECT min(id) FROM tests WHERE run_id = 1");
    const report = (steps: number) =>
      edit(area, ["cache"], (db) =>
        db
          .prepare(
            `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
             INSERT INTO test_steps (test_id, stepname, state) SELECT ?, 'many' || (SELECT max(id) FROM test_steps) || '.' || i, 'end' FROM n`,
          )
          .run(steps, live),
      );
    const seen = () =>
      completedColumn(
        area,
        "SELECT id FROM mtjobs_seen WHERE part = 'cache' AND table_name = 'test_steps'",
      )[0];
    const before = guardOf(area);
    report(50_000);
    await runReduce(area, nothing);
    expect([guardOf(area), seen()]).toEqual([before, before]);
    report(1);
    await runReduce(area, nothing);
    const raised = guardOf(area);
    // A sync may still write back what it read before the job, until the next one.
    expect([raised, seen()]).toEqual([before + 50_002, before]);
    await runReduce(area, nothing);
    expect([guardOf(area), seen()]).toEqual([raised, raised]);
  });

  it("is collected again if a sync that stood still writes it back, in a job that raised the guards, too", async () => {
    const { area, test } = await movedArea();
    const [live] = readColumn(area.cacheDb, "SELECT min(id) FROM tests WHERE run_id = 1");
    const client = openClient(area.cacheDb);
    const late = client.reportStep(test, "late", "end", "0", "late word");
    client.close();
    edit(area, ["cache"], (db) =>
      db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50001)
        INSERT INTO test_steps (test_id, stepname, state) SELECT ${live}, 'many' || i, 'end' FROM n`),
    );
    const before = guardOf(area);
    expect((await runReduce(area, nothing)).result.late).toBe(1);
    expect(guardOf(area)).toBeGreaterThan(before);
    edit(area, ["ref", "area"], (db) =>
      db.exec(`INSERT INTO test_steps (id, test_id, stepname, state, status, event_time, comment, logfile)
        VALUES (${late}, ${test}, 'late', 'end', '0', 5, 'late word', '')`),
    );
    await runReduce(area, nothing);
    for (const file of [area.refDb, area.megatestDb])
      expect(readColumn(file, "SELECT id FROM test_steps WHERE comment = 'late word'")).toEqual([]);
  });

  it.each(["after the job that kept the test", "during that job"])(
    "of a test that is only kept is kept, too: reported %s",
    async (when) => {
      const { area } = await movedArea();
      const [name] = completedColumn(area, "SELECT testname FROM tests WHERE run_id = 3 AND item_path = ''");
      const client = openClient(area.cacheDb);
      const again = client.registerTest(3, String(name));
      client.setState(again, "COMPLETED", "PASS", "a client that lost the run");
      const report = () => void client.reportStep(again, "late", "end", "0", "late word");
      settleTimes(area);
      await runReduce(area, nothing, {
        failpoint: firstTime("committed-in-cache", () => when === "during that job" && report()),
      });
      if (when !== "during that job") report();
      client.close();
      settleTimes(area);
      await runReduce(area, nothing);
      const kept = () =>
        completedColumn(area, "SELECT count(*) FROM mtjobs_superseded WHERE row LIKE '%late word%'")[0];
      expect(kept()).toBe(1);
      expect(readColumn(area.cacheDb, "SELECT id FROM test_steps WHERE comment = 'late word'")).toEqual([]);
    },
  );

  it("of a test that is only kept is kept, too, if it comes while the run is restored, and so is another row", async () => {
    const { area } = await movedArea();
    const [name] = completedColumn(area, "SELECT testname FROM tests WHERE run_id = 3 AND item_path = ''");
    const client = openClient(area.cacheDb);
    const again = client.registerTest(3, String(name));
    client.setState(again, "COMPLETED", "PASS", "a client that lost the run");
    settleTimes(area);
    await runReduce(area, nothing);
    await runRestore(area, { runname: undefined, runId: [3] });
    client.reportStep(again, "late", "end", "0", "late word");
    const newer = client.registerRun({ sysname: "u", fsname: "n", datapath: "d" }, "anew");
    client.setState(client.registerTest(newer, "anew"), "COMPLETED", "PASS");
    client.close();
    edit(area, ["cache"], (db) =>
      db.exec(
        `INSERT INTO archives (test_id, state, status, archive_path) VALUES (${again}, 'a', 'b', 'late word')`,
      ),
    );
    // A job that raises the guards, and one that finds a run moved: it counts the step as searched.
    await runReduce(area, { runname: "anew" });
    await runReduce(area, nothing);
    await runReduce(area, { runname: undefined, runId: [3] });
    await runReduce(area, nothing);
    const kept = completedColumn(
      area,
      "SELECT table_name FROM mtjobs_superseded WHERE row LIKE '%late word%' ORDER BY 1",
    );
    expect(kept).toEqual(["archives", "test_steps"]);
    for (const table of kept)
      expect(readColumn(area.cacheDb, `SELECT id FROM ${table} WHERE test_id = ${again}`)).toEqual([]);
  });

  it("and other rows that a reduce leaves of a test that lost to another are collected by the next job", async () => {
    const { area } = await movedArea();
    const test = Number(readColumn(area.cacheDb, "SELECT max(id) FROM tests WHERE run_id = 2")[0]);
    await runReduce(area, nothing);
    // Started again under another id, not synced yet; a clean-up leaves its data.
    edit(area, ["cache"], (db) =>
      db.exec(`DELETE FROM test_steps WHERE test_id = ${test}; UPDATE tests SET id = id + 100 WHERE id = ${test};
        UPDATE test_data SET comment = 'newer' WHERE test_id = ${test}`),
    );
    await runReduce(area, { runname: undefined, runId: [2] });
    await runReduce(area, nothing);
    for (const file of [area.cacheDb, area.refDb, area.megatestDb])
      expect(readColumn(file, `SELECT id FROM test_data WHERE test_id = ${test}`)).toEqual([]);
    expect(
      completedColumn(area, "SELECT count(*) FROM mtjobs_superseded WHERE row LIKE '%newer%'")[0],
    ).toBeGreaterThan(0);
  });
});
