import { utimesSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { syncsLastUpdate } from "../../../workers/records/sync-kind.ts";
import {
  assertNothingLost,
  cleanUp,
  diff,
  edit,
  everywhere,
  fileOf,
  isRefillDue,
  openAsMegatest,
  openClient,
  type RealShape,
  readColumn,
  readRows,
  realShapeArea,
  refill,
  removeRuns,
  type Stage,
  settleTimes,
  snapshot,
  syncOnce,
} from "../../support/area.ts";
import { movedIds, reduceSafely, runReduce, runRestore, unionOf, withMove } from "../../support/queue.ts";

const everyRun = { runname: "%", includeLocked: true };

/** What differs of the records between the databases of two areas, `last_update` aside where it says when something was done. */
function differences(area: RealShape, other: RealShape): string[] {
  return everywhere.flatMap((place) =>
    diff(snapshot(fileOf(other, place)), snapshot(fileOf(area, place))).filter(
      (line) => !line.includes(": last_update was"),
    ),
  );
}

const stages: readonly Stage[] = [1, 2, 3, 4];

describe("the emulation, held against an area in the shape of a real one", () => {
  it("syncs it from stage 1 to stage 2, and finds nothing more to sync or to refill there", async () => {
    const [area, after] = [realShapeArea(1), realShapeArea(2)];
    expect((await syncOnce(area)).rows).toEqual({ runs: 1 });
    expect(
      everywhere.flatMap((place) => diff(snapshot(fileOf(after, place)), snapshot(fileOf(area, place)))),
    ).toEqual([]);
    expect({ ...(await syncOnce(area, { quietMs: 0 })).rows, ...(await refill(area)) }).toEqual({});
  });

  it("removes run 5 as -remove-runs did, which leaves its rows hidden, and nothing to area and ref", () => {
    const [area, after] = [realShapeArea(2), realShapeArea(3)];
    expect(removeRuns(area.cacheDb, [5], { within: area.directory })).toEqual([]);
    expect(removeRuns(area.cacheDb, [1], { within: area.directory })).toEqual([]);
    // It also counted the tests of each state anew.
    expect(differences(area, after).filter((line) => !line.startsWith("run_stats "))).toEqual([]);
  });

  it("cleans up from stage 3 to stage 4 as -cleanup-db did", () => {
    const [area, after] = [realShapeArea(3), realShapeArea(4)];
    cleanUp([area.cacheDb]);
    expect(diff(snapshot(after.cacheDb), snapshot(area.cacheDb))).toEqual([]);
  });
});

describe("a job on an area in the shape of a real one", () => {
  it("learns that its sync carries last_update, at every stage", async () => {
    for (const stage of stages)
      expect(
        await withMove(realShapeArea(stage), (session) => Promise.resolve(syncsLastUpdate(session))),
      ).toBe(true);
  });

  it.each(stages)(
    "moves every run of stage %d and brings it back as it was, in every database and column",
    async (stage) => {
      const area = realShapeArea(stage);
      if (stage === 1 || stage === 3) await syncOnce(area, { quietMs: 0 });
      settleTimes(area);
      const visible = readColumn(area.cacheDb, "SELECT id FROM runs WHERE state <> 'deleted' ORDER BY id");
      const before = unionOf(area);
      const whole = everywhere.map((place) => snapshot(fileOf(area, place)));
      const { result } = await reduceSafely(area, everyRun);
      expect(movedIds(result)).toEqual(visible);
      expect(result.warnings).toEqual([]);
      expect(readRows(area.cacheDb, "SELECT * FROM runs WHERE state <> 'deleted'")).toEqual([]);
      // A server and a client go on meanwhile: nothing rises.
      expect((await syncOnce(area, { quietMs: 0 })).rows).toEqual({});
      settleTimes(area);
      expect(await openAsMegatest(area)).toBeNull();
      await runRestore(area, everyRun);
      assertNothingLost(before, unionOf(area));
      for (const [index, place] of everywhere.entries()) {
        const changed = diff(whole[index] as ReturnType<typeof snapshot>, snapshot(fileOf(area, place)));
        // Rows of tables that never sync are in all three databases now. After a clean-up the guard of ids has the id of the run that is
        // gone, and its run_stats count as the guard's.
        expect(
          changed.filter((line) => !/^(run_stats|test_rundat) \S+: (new |gone .*run_id=i:5 )/.test(line)),
        ).toEqual([]);
      }
      expect({ ...(await syncOnce(area, { quietMs: 0 })).rows, ...(await refill(area)) }).toEqual({});
    },
  );

  it("leaves the locked run, and the row that only the cache has newer goes along", async () => {
    const area = realShapeArea(1);
    const { result } = await reduceSafely(area, { runname: "%" });
    expect(result).toMatchObject({ runs: [{ id: 4 }, { id: 5 }], skipped: [{ id: 1, reason: "locked" }] });
    const completed = `${area.directory}/completed-runs.db`;
    expect(readRows(completed, "SELECT status, comment FROM runs WHERE id = 4")).toEqual([
      { status: "checked", comment: "again" },
    ]);
  });

  it("gives new runs ids above those that moved, also after a clean-up by Megatest", async () => {
    const area = realShapeArea(2);
    await runReduce(area, everyRun);
    const client = openClient(area.cacheDb);
    const run = client.registerRun({ PLATFORM: "sles", BRANCH: "7.1" }, "wk03");
    const test = client.registerTest(run, "basic");
    client.close();
    expect([run > 5, test > 25]).toEqual([true, true]);
    settleTimes(area);
    cleanUp(everywhere.map((place) => fileOf(area, place)));
    settleTimes(area);
    const { result } = await runRestore(area, everyRun);
    expect(movedIds(result)).toHaveLength(3);
  });

  it("brings cache and megatest.db together where a lock file alone makes a refill due, and leaves nothing to it", async () => {
    const area = realShapeArea(1);
    edit(area, ["area"], (db) => db.exec("UPDATE runs SET comment = 'by hand' WHERE id = 5"));
    const old = Date.now() / 1000 - 120;
    for (const place of everywhere) utimesSync(fileOf(area, place), old, old);
    writeFileSync(`${area.megatestDb}.lock`, "");
    expect(isRefillDue(area)).toBe(true);
    await runReduce(area, { runname: "none" });
    for (const place of everywhere)
      expect(readColumn(fileOf(area, place), "SELECT comment FROM runs ORDER BY id")).toEqual([
        "",
        "again",
        "by hand",
      ]);
    expect({ ...(await syncOnce(area, { quietMs: 0 })).rows, ...(await refill(area)) }).toEqual({});
  });
});
