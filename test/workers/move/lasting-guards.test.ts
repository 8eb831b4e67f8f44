import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { listRuns } from "../../../producers/areas/list-runs.ts";
import { areaStatus } from "../../../producers/areas/status.ts";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { quietReport } from "../../../workers/migrate/checks/quiescence.ts";
import {
  cleanUp,
  completedColumn,
  edit,
  everywhere,
  fileOf,
  filesOf,
  newArea,
  openClient,
  placeOf,
  readColumn,
  readRows,
  removeRuns,
  repair,
  settleTimes,
  syncOnce,
} from "../../support/area.ts";
import { reduceSafely, runReduce, runRepair } from "../../support/queue.ts";

const identified = ["runs", "tests", "test_steps", "test_data"] as const;

/** Run 1 stays, the others have moved. */
async function reducedArea(): Promise<SampleArea> {
  const area = newArea({ runs: 4, inFlight: 0, testsPerRun: 4, unsynced: false });
  await reduceSafely(area, { runname: undefined, runId: [2, 3, 4] });
  return area;
}

/** The ids that the next run, test, step and datum get from Megatest. */
function nextIds(area: SampleArea): number[] {
  const client = openClient(area.cacheDb);
  const run = client.registerRun({ sysname: "a", fsname: "b", datapath: "c" }, "next");
  const test = client.registerTest(run, "next");
  const ids = [run, test, client.reportStep(test, "s", "end", "0"), client.reportData(test, "c", "v", 1)];
  client.close();
  settleTimes(area);
  return ids;
}

const highestMoved = (area: SampleArea) =>
  identified.map((table) => completedColumn(area, `SELECT max(id) FROM ${table}`)[0] as number);

/** The guards of one database, by table. */
const guardsIn = (file: string) => [
  ...readRows(file, "SELECT id, event_time FROM runs WHERE runname = 'mtjobs-id-guard'"),
  ...readRows(file, "SELECT id, event_time FROM tests WHERE testname = 'mtjobs-id-guard'"),
  ...readRows(file, "SELECT id FROM test_steps WHERE stepname = 'mtjobs-id-guard'"),
  ...readRows(file, "SELECT id FROM test_data WHERE variable = 'mtjobs-id-guard'"),
];

/** Guards as version 0.1 made them, which a `-remove-runs` deletes. */
function makeOld(area: SampleArea): void {
  edit(area, everywhere, (db) =>
    db.exec(`DROP TRIGGER update_runs_trigger; DROP TRIGGER update_tests_trigger;
      UPDATE runs SET event_time = 0 WHERE runname = 'mtjobs-id-guard';
      UPDATE tests SET event_time = 0 WHERE testname = 'mtjobs-id-guard'`),
  );
}

/** What a job looks at before a home moves: the area is quiet for `quietForMs`. */
async function quietness(area: SampleArea, quietForMs: number) {
  const { megatestDb, cacheDb, refDb } = area;
  const files = { area: megatestDb, cache: cacheDb, ref: refDb, completed: filesOf(area).completedDb };
  const signal = new AbortController().signal;
  return await quietReport({ files, quietForMs, now: Date.now(), skewMs: 0, signal });
}

describe("the guards of ids", () => {
  it("make nothing recent, or ahead of the clock, despite the times in them", async () => {
    const area = newArea({ runs: 3, inFlight: 0, testsPerRun: 3, unsynced: false });
    const place = placeOf(area);
    const before = await areaStatus(area.directory, place);
    const quiet = await quietness(area, 1000);
    await reduceSafely(area, { runname: undefined, runId: [2] });
    settleTimes(area);
    const after = await areaStatus(area.directory, place);
    expect(after.sides?.["megatest.db"]?.newest).toEqual(before.sides?.["megatest.db"]?.newest);
    expect((await quietness(area, 1000)).checks).toEqual(quiet.checks);
    const list = await listRuns(area.directory, {}, place);
    expect([...list.runs()].map(({ id }) => id)).toEqual([1n, 3n]);
    list.close();
  });

  it("outlast Megatest's -remove-runs: what it registers next gets ids that no moved row has", async () => {
    const area = await reducedArea();
    removeRuns(area.cacheDb, [1]);
    settleTimes(area);
    await syncOnce(area, { quietMs: 0 });
    repair(area.megatestDb);
    expect(readColumn(area.cacheDb, "SELECT count(*) FROM tests WHERE testname = 'mtjobs-id-guard'")).toEqual(
      [1],
    );
    const highest = highestMoved(area);
    nextIds(area).forEach((id, index) => {
      expect(id).toBeGreaterThan(highest[index] ?? Number.NaN);
    });
  });

  it("made by an earlier version are made lasting by the next job, in every database", async () => {
    const area = await reducedArea();
    makeOld(area);
    await runReduce(area, { runname: "none" });
    const [first, ...others] = everywhere.map((place) => guardsIn(fileOf(area, place)));
    expect(first).toHaveLength(4);
    for (const other of others) expect(other).toEqual(first);
    const ahead = Date.now() / 1000 + 10 * 365 * 86_400;
    for (const { event_time } of first?.slice(0, 2) ?? []) expect(event_time).toBeGreaterThan(ahead);
    removeRuns(area.cacheDb, [1]);
    expect(guardsIn(area.cacheDb)).toEqual(first);
  });

  it("are put back by the next job after a -cleanup-db, before an id is handed out again", async () => {
    const area = await reducedArea();
    cleanUp(everywhere.map((place) => fileOf(area, place)));
    settleTimes(area);
    // What hangs on no test stays.
    expect(guardsIn(area.cacheDb)).toHaveLength(2);
    await runRepair(area);
    expect(guardsIn(area.cacheDb)).toHaveLength(4);
    const highest = highestMoved(area);
    nextIds(area).forEach((id, index) => {
      expect(id).toBeGreaterThan(highest[index] ?? Number.NaN);
    });
    expect(completedColumn(area, "SELECT count(*) FROM mtjobs_renumbered")).toEqual([0]);
  });

  it("leave nothing of a -cleanup-db in completed-runs.db but what it did to the area: the keys once each", async () => {
    const area = await reducedArea();
    cleanUp(everywhere.map((place) => fileOf(area, place)));
    settleTimes(area);
    await reduceSafely(area, {}, { losses: { anyLastUpdate: true } });
    const db = new Database(filesOf(area).completedDb, { readonly: true });
    expect(db.prepare("SELECT fieldname FROM keys ORDER BY fieldname").pluck().all()).toEqual(
      readColumn(area.megatestDb, "SELECT fieldname FROM keys ORDER BY fieldname"),
    );
    db.close();
  });
});
