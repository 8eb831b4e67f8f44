import { readdirSync, utimesSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  addRunIn,
  addTestIn,
  assertNothingLost,
  changeInCacheOnly,
  changeInMegatestDbOnly,
  completedColumn,
  edit,
  firstTestOf,
  isRefillDue,
  keptVersions,
  leaveMegatestDbBehind,
  makeRefillDue,
  newArea,
  readColumn,
  refill,
  reportStepAgain,
  syncOnce,
} from "../../support/area.ts";
import { reduceSafely, runReduce, runReduceProcess, unionOf, watchTimes } from "../../support/queue.ts";

/** A job that moves nothing: what it does to the area is bringing together alone. */
const nothing = { runname: "no such run" };
const options = { losses: { anyLastUpdate: true } };

/** Both kinds of sync are in use. */
let syncsLastUpdate = false;
const kinds = [{ syncsLastUpdate: false }, { syncsLastUpdate: true }];

function dueArea(change: (area: SampleArea) => void, cacheWal = false): SampleArea {
  const area = newArea({ runs: 6, cacheWal, syncsLastUpdate });
  change(area);
  makeRefillDue(area);
  return area;
}

const comments = (area: SampleArea, id: number) =>
  [area.cacheDb, area.refDb, area.megatestDb].map(
    (file) => readColumn(file, "SELECT comment FROM tests WHERE id = ?", id)[0],
  );

/** What Megatest's sync, and a refill, would still have to carry. */
async function leftToCarry(area: SampleArea): Promise<object> {
  return { ...(await syncOnce(area, { quietMs: 0 })).rows, ...(await refill(area)) };
}

describe.each(kinds)(
  "where a refill is due when a job begins, last_update carried: $syncsLastUpdate",
  (kind) => {
    beforeEach(() => {
      ({ syncsLastUpdate } = kind);
    });

    it("a job brings both together once, and the next one does not", async () => {
      const area = dueArea((at) => changeInMegatestDbOnly(at, 1, "there"));
      const told = async () => (await reduceSafely(area, nothing, options)).story.join();
      expect(await told()).toContain("reconciling both");
      expect(await told()).not.toContain("reconciling both");
    });

    it("what changed in megatest.db alone reaches cache and ref", async () => {
      const area = dueArea((at) => changeInMegatestDbOnly(at, 1, "there"));
      const { story } = await reduceSafely(area, nothing, options);
      expect(comments(area, firstTestOf(area, 1))).toEqual(["there", "there", "there"]);
      expect(keptVersions(area, "tests", firstTestOf(area, 1), "comment")).toHaveLength(1);
      expect(story.join(" ")).toContain("reconciling both");
    });

    it("a test that was registered again under another id is kept with its steps and data", async () => {
      const area = dueArea((at) =>
        edit(at, ["cache"], (db) =>
          db.exec(`DELETE FROM test_steps WHERE test_id = 2; DELETE FROM test_data WHERE test_id = 2;
            UPDATE tests SET id = 7000 WHERE id = 2`),
        ),
      );
      await runReduce(area, nothing);
      const of = (table: string) =>
        readColumn(area.megatestDb, `SELECT count(*) FROM ${table} WHERE test_id = 2`)[0];
      const kept = (table: string) =>
        completedColumn(area, `SELECT count(*) FROM mtjobs_superseded WHERE table_name = '${table}'`)[0];
      expect(Number(of("test_steps"))).toBeGreaterThan(0);
      expect(["test_steps", "test_data"].map(kept)).toEqual(["test_steps", "test_data"].map(of));
    });

    it("what changed in the cache alone reaches ref and megatest.db, which a refill would have lost", async () => {
      const area = dueArea((at) => changeInCacheOnly(at, 1, "here"));
      await reduceSafely(area, nothing, options);
      expect(comments(area, firstTestOf(area, 1))).toEqual(["here", "here", "here"]);
    });

    it("what changed on both sides is the cache's, and megatest.db's version is kept", async () => {
      const area = dueArea((at) => {
        changeInMegatestDbOnly(at, 1, "there");
        changeInCacheOnly(at, 1, "here");
      });
      await reduceSafely(area, nothing, options);
      expect(comments(area, firstTestOf(area, 1))).toEqual(["here", "here", "here"]);
      expect(keptVersions(area, "tests", firstTestOf(area, 1), "comment")).toContain('"there"');
    });

    it("what a killed sync left out reaches megatest.db", async () => {
      const area = dueArea((at) => leaveMegatestDbBehind(at, 1, "left out"));
      await reduceSafely(area, nothing, options);
      expect(comments(area, firstTestOf(area, 1))).toEqual(["left out", "left out", "left out"]);
    });

    it("rows that one side alone has reach the other, and nothing is left for a sync or a refill", async () => {
      let [here, there, runHere, runThere] = [0, 0, 0, 0];
      const area = dueArea((at) => {
        here = addTestIn(at, ["cache"], 2, "here");
        there = addTestIn(at, ["area"], 3, "there");
        runHere = addRunIn(at, ["cache"], "run here");
        runThere = addRunIn(at, ["area"], "run there");
        reportStepAgain(at, 1);
      });
      await reduceSafely(area, nothing, options);
      for (const file of [area.cacheDb, area.refDb, area.megatestDb]) {
        expect(readColumn(file, "SELECT id FROM tests WHERE id IN (?, ?) ORDER BY id", here, there)).toEqual([
          here,
          there,
        ]);
        expect(
          readColumn(file, "SELECT id FROM runs WHERE id IN (?, ?) ORDER BY id", runHere, runThere),
        ).toEqual([runHere, runThere]);
      }
      expect(await leftToCarry(area)).toEqual({});
    });

    it("nothing is left where the newest 500 tests are not synced", async () => {
      const area = dueArea((at) => {
        edit(at, ["cache"], (db) =>
          db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
            INSERT INTO tests (run_id, testname, item_path, state) SELECT 2, 'new' || i, '', 'COMPLETED' FROM n`),
        );
        addTestIn(at, ["area"], 3, "there");
        changeInMegatestDbOnly(at, 1, "there");
      });
      await reduceSafely(area, nothing, options);
      expect(await leftToCarry(area)).toEqual({});
    });

    it("everything comes together with a cache in WAL mode too, and then the runs move", async () => {
      const area = dueArea((at) => {
        changeInMegatestDbOnly(at, 1, "there");
        changeInCacheOnly(at, 4, "here");
        addTestIn(at, ["area"], 3, "there");
      }, true);
      const { result } = await reduceSafely(area, {}, options);
      expect(result.moved.runs).toBe(4);
      expect(isRefillDue(area)).toBe(false);
    });

    it.each([
      ["lease-taken", true],
      ["refill-noted", false],
      ["tokens-raised", false],
      ["brought-together", false],
    ])(
      "after a job killed at %s a refill is due: %s; and the next one brings together what was due",
      async (step, stillDue) => {
        const area = dueArea((at) => {
          changeInMegatestDbOnly(at, 1, "there");
          changeInCacheOnly(at, 4, "here");
        });
        const before = unionOf(area);
        const killed = await runReduceProcess(area, ["--runname", "none"], {
          MTJOBS_FAILPOINT: `${step}=kill`,
        });
        expect(killed.signal).toBe("SIGKILL");
        expect(isRefillDue(area)).toBe(stillDue);
        await runReduce(area, nothing);
        expect(comments(area, firstTestOf(area, 1))).toEqual(["there", "there", "there"]);
        expect(comments(area, firstTestOf(area, 4))).toEqual(["here", "here", "here"]);
        assertNothingLost(before, unionOf(area), options.losses);
      },
    );

    it("nothing is brought together where megatest.db is newer by less than Megatest minds", async () => {
      const area = newArea({ runs: 6 });
      changeInMegatestDbOnly(area, 1, "there");
      const present = Date.now() / 1000;
      utimesSync(area.megatestDb, present - 60, present - 60);
      utimesSync(area.cacheDb, present - 68, present - 68);
      await reduceSafely(area, nothing);
      expect(readColumn(area.cacheDb, "SELECT count(*) FROM tests WHERE comment = 'there'")).toEqual([0]);
    });
  },
);

describe("a job never makes megatest.db newer than the cache by what Megatest minds", () => {
  it.each([false, true])(
    "at any moment while it runs and after it (cache in WAL mode: %s)",
    async (cacheWal) => {
      const area = newArea({ runs: 30, cacheWal });
      const idle = Date.now() / 1000 - 3600;
      for (const name of readdirSync(area.cacheDirectory)) {
        utimesSync(`${area.cacheDirectory}/${name}`, idle, idle);
      }
      utimesSync(area.megatestDb, idle, idle);
      const watch = await watchTimes(area);
      const { result } = await reduceSafely(area, { compact: "always" });
      const seen = await watch.stop();
      expect(result.moved.runs).toBe(28);
      expect(seen.rounds).toBeGreaterThan(50);
      expect(seen.worstMs).toBeLessThan(5_000);
      expect(isRefillDue(area)).toBe(false);
      expect(seen.names.filter((name) => !/^megatest\.db(-journal)?$/.test(name))).toEqual([]);
    },
  );

  it.each(["lease-taken", "guarded", "removed-from-area", "moved", "releasing"])(
    "also where it is killed at %s",
    async (step) => {
      const area = newArea({ runs: 6 });
      const idle = Date.now() / 1000 - 3600;
      for (const file of [area.cacheDb, area.megatestDb]) utimesSync(file, idle, idle);
      const { signal } = await runReduceProcess(area, ["--runname", "%"], {
        MTJOBS_FAILPOINT: `${step}=kill`,
      });
      expect(signal).toBe("SIGKILL");
      expect(isRefillDue(area)).toBe(false);
    },
  );
});
