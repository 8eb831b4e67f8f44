import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  assertNothingLost,
  completedColumn,
  edit,
  everywhere,
  keptVersions,
  newArea,
  type Place,
  readColumn,
} from "../../support/area.ts";
import { firstTime, runReduce, runReduceProcess, runRestore, unionOf } from "../../support/queue.ts";

const smallArea = () =>
  newArea({ runs: 3, inFlight: 0, unsynced: false, testsPerRun: 6, stepsPerTest: 2, dataPerTest: 2 });

const tables = ["runs", "tests", "test_steps", "test_data"];

function fill(area: SampleArea, places: readonly Place[], value: string): void {
  edit(area, places, (db) => {
    for (const table of tables) db.exec(`UPDATE ${table} SET site = '${value} ' || id`);
  });
}

function addColumn(area: SampleArea, places: readonly Place[]): void {
  edit(area, places, (db) => {
    for (const table of tables) db.exec(`ALTER TABLE ${table} ADD COLUMN site TEXT DEFAULT 'none'`);
  });
}

/** What is known of a row's column after all: in the copy, and in the versions kept. */
const known = (area: SampleArea, table: string, id: number) => [
  ...completedColumn(area, `SELECT site FROM ${table} WHERE id = ?`, id),
  ...keptVersions(area, table, id, "site"),
];

describe("a column that the sync does not carry", () => {
  it.each([
    ["megatest.db alone", ["area"]],
    ["every database", everywhere],
  ] as const)(
    "keeps its values where it is added and filled after a job died that had removed runs from the cache and the ref: %s",
    async (_, places) => {
      const area = smallArea();
      const before = unionOf(area);
      const died = await runReduceProcess(area, ["--runname", "%"], {
        MTJOBS_FAILPOINT: "removed-from-ref=kill",
      });
      expect(died.signal).toBe("SIGKILL");
      addColumn(area, places);
      fill(area, places, "late");
      const { result } = await runReduce(area);
      expect(result.skipped).toEqual([]);
      for (const table of tables) expect(known(area, table, 1)).toEqual(["none", `"late 1"`]);
      assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
    },
  );

  it.each(["removing", "removed-from-cache", "removed-from-ref"])(
    "keeps the later value where megatest.db alone has it and it changes after the copy: at %s",
    async (step) => {
      const area = smallArea();
      addColumn(area, ["area"]);
      fill(area, ["area"], "early");
      const before = unionOf(area);
      await runReduce(area, {}, { failpoint: firstTime(step, () => fill(area, ["area"], "late")) });
      for (const table of tables) expect(known(area, table, 1)).toEqual(["early 1", `"late 1"`]);
      assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
    },
  );

  it.each([
    ["area", 1],
    ["ref", 1],
    ["cache", 0],
  ] as const)(
    "keeps a value that %s alone has, though every database has the column",
    async (place, kept) => {
      const area = smallArea();
      addColumn(area, everywhere);
      fill(area, [place], "here");
      const before = unionOf(area);
      await runReduce(area);
      for (const table of tables)
        expect(known(area, table, 1)).toEqual(kept === 0 ? ["here 1"] : ["none", `"here 1"`]);
      assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
    },
  );

  it("keeps what the ref alone has", async () => {
    const area = smallArea();
    addColumn(area, ["ref"]);
    fill(area, ["ref"], "ref");
    const before = unionOf(area);
    await runReduce(area);
    for (const table of tables) expect(known(area, table, 1)).toEqual(["none", `"ref 1"`]);
    assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
  });

  it("says nothing of a default, and of a value that the copy has", async () => {
    const area = smallArea();
    addColumn(area, everywhere);
    fill(area, ["cache"], "same");
    const { result } = await runReduce(area);
    expect([result.moved.runs, result.superseded, result.late]).toEqual([3, 0, 0]);
    await runRestore(area);
    const again = await runReduce(area);
    expect([again.result.moved.runs, again.result.superseded, again.result.late]).toEqual([3, 0, 0]);
  });

  it.each(["removed-from-cache", "removed-from-ref"])(
    "keeps its values also in a version of megatest.db's that had lost before the column came: at %s",
    async (step) => {
      const area = smallArea();
      edit(area, ["cache"], (db) => db.exec("UPDATE tests SET comment = 'newer'"));
      edit(area, ["area"], (db) => db.exec("UPDATE tests SET comment = 'older'"));
      const widen = () => {
        addColumn(area, everywhere);
        fill(area, everywhere, "late");
      };
      await runReduce(area, {}, { failpoint: firstTime(step, widen) });
      expect(known(area, "tests", 1)).toContain(`"late 1"`);
      expect(keptVersions(area, "tests", 1, "comment")).toContain(`"older"`);
    },
  );

  it.each(["prepared", "lease-taken", "tokens-raised"])(
    "comes along where it is added and filled while a later job of the area starts: at %s",
    async (step) => {
      const area = smallArea();
      // The first job of an area makes tables of its own in every database.
      await runReduce(area, { runId: ["1"] });
      const before = unionOf(area);
      const widen = () => {
        addColumn(area, ["cache", "area"]);
        fill(area, ["cache", "area"], "early");
      };
      await runReduce(area, {}, { failpoint: firstTime(step, widen) });
      for (const table of tables) {
        const last = completedColumn(area, `SELECT max(id) FROM ${table}`)[0];
        expect(known(area, table, Number(last))).toEqual([`early ${last}`]);
      }
      assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
    },
  );

  it("comes along with the values of the cache's version that had lost before the column came", async () => {
    const area = smallArea();
    edit(area, ["area"], (db) =>
      db.exec("UPDATE tests SET comment = 'newer', last_update = last_update + 9000"),
    );
    const widen = () => {
      addColumn(area, ["cache"]);
      fill(area, ["cache"], "late");
    };
    await runReduce(area, {}, { failpoint: firstTime("removing", widen) });
    expect(completedColumn(area, "SELECT comment || ' ' || site FROM tests WHERE id = 1")).toEqual([
      "newer late 1",
    ]);
  });

  it("is not lost with a value that the copy has left out, where a client writes both after a job died that had begun the run", async () => {
    const area = newArea({
      runs: 1,
      inFlight: 0,
      unsynced: false,
      testsPerRun: 60,
      stepsPerTest: 1,
      dataPerTest: 1,
    });
    addColumn(area, everywhere);
    const last = Number(readColumn(area.cacheDb, "SELECT max(id) FROM tests WHERE run_id = 1")[0]);
    const write = (place: Place, comment: string, site: string) =>
      edit(area, [place], (db) =>
        db.prepare("UPDATE tests SET comment = ?, site = ? WHERE id = ?").run(comment, site, last),
      );
    write("cache", "newer", "none");
    write("area", "older", "none");
    const died = await runReduceProcess(area, ["--runname", "%"], {
      MTJOBS_FAILPOINT: "committed-in-cache=kill",
    });
    expect(died.signal).toBe("SIGKILL");
    expect(readColumn(area.cacheDb, "SELECT count(*) FROM tests WHERE id = ?", last)).toEqual([1]);
    write("cache", "older", "a new word");
    await runReduce(area);
    expect(known(area, "tests", last)).toContainEqual(expect.stringContaining("a new word"));
  });
});
