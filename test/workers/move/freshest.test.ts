import { unlinkSync } from "node:fs";
import type Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import {
  addRunIn,
  addTestIn,
  completedColumn,
  edit,
  firstTestOf,
  keptVersions,
  newArea,
  type Place,
  readColumn,
  reportStepAgain,
} from "../../support/area.ts";
import { reduceSafely, runReduce } from "../../support/queue.ts";

function agreedArea(options: { old?: boolean; cacheWal?: boolean } = {}): SampleArea {
  return newArea({ runs: 4, inFlight: 0, unsynced: false, ...options });
}

/** Writes a comment and a time of update to the first test of run 2, past the trigger that would set the time. */
function write(area: SampleArea, place: Place, comment: string, lastUpdate: number): void {
  const id = firstTestOf(area, 2);
  edit(area, [place], (db) =>
    quietly(
      db,
      "tests",
      `UPDATE tests SET comment = '${comment}', last_update = ${lastUpdate} WHERE id = ${id}`,
    ),
  );
}

function quietly(db: Database.Database, table: string, sql: string): void {
  const trigger = db
    .prepare<[string], { name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?",
    )
    .get(table);
  if (trigger !== undefined) db.exec(`DROP TRIGGER ${trigger.name}`);
  db.exec(sql);
  if (trigger !== undefined) db.exec(trigger.sql);
}

const commentOf = (area: SampleArea, id: number) =>
  completedColumn(area, "SELECT comment FROM tests WHERE id = ?", id)[0];

/** Old and newer times of syncs. */
const [early, late] = [1_700_000_000, 1_700_000_900];

describe("of a row that cache and megatest.db have otherwise", () => {
  it.each<{
    title: string;
    cache: [string, number];
    ref: [string, number];
    area: [string, number];
    moves: string;
    kept: string[];
    /** Of those kept, what was only not synced yet. */
    unsynced?: number;
  }>([
    {
      title: "the cache's version moves where only the cache changed since the last sync",
      cache: ["new", 1_700_005_000],
      ref: ["old", early],
      area: ["old", early],
      moves: "new",
      kept: ["old"],
      unsynced: 1,
    },
    {
      title: "the cache's version moves where both changed since",
      cache: ["new here", 1_700_000_001],
      ref: ["old", early],
      area: ["new there", late],
      moves: "new here",
      kept: ["new there", "old"],
      unsynced: 1,
    },
    {
      title:
        "megatest.db's version moves where cache and ref agree and megatest.db was written later than the ref",
      cache: ["old", 1_700_005_000],
      ref: ["old", early],
      area: ["repaired", late],
      moves: "repaired",
      kept: ["old"],
    },
    {
      title: "the cache's version moves where a sync was killed before it reached megatest.db",
      cache: ["new", 1_600_000_000],
      ref: ["new", late],
      area: ["old", early],
      moves: "new",
      kept: ["old"],
    },
    {
      title: "the cache's version moves where ref and megatest.db were written at the same time",
      cache: ["new", 1_600_000_000],
      ref: ["new", early],
      area: ["old", early],
      moves: "new",
      kept: ["old"],
    },
    {
      title: "an older cache row that differs from the ref still counts as changed",
      cache: ["changed", 1_500_000_000],
      ref: ["old", early],
      area: ["there", late],
      moves: "changed",
      kept: ["there", "old"],
      unsynced: 1,
    },
  ])("$title", async ({ cache, ref, area: there, moves, kept, unsynced = 0 }) => {
    const area = agreedArea();
    write(area, "cache", ...cache);
    write(area, "ref", ...ref);
    write(area, "area", ...there);
    const id = firstTestOf(area, 2);
    const { result } = await reduceSafely(area);
    expect(commentOf(area, id)).toBe(moves);
    expect(completedColumn(area, "SELECT last_update FROM tests WHERE id = ?", id)).toEqual([cache[1]]);
    expect(keptVersions(area, "tests", id, "comment")).toEqual(kept.map((text) => JSON.stringify(text)));
    expect([result.superseded, result.unsynced ?? 0]).toEqual([kept.length - unsynced, unsynced]);
  });

  it("the cache's version moves where the ref never saw it", async () => {
    const area = agreedArea();
    const id = firstTestOf(area, 2);
    write(area, "area", "there", late);
    edit(area, ["ref"], (db) => db.prepare("DELETE FROM tests WHERE id = ?").run(id));
    await reduceSafely(area);
    expect(commentOf(area, id)).not.toBe("there");
    expect(keptVersions(area, "tests", id, "comment")).toEqual(['"there"']);
  });

  it("the cache's version moves if the cache has no ref", async () => {
    const area = agreedArea();
    const id = firstTestOf(area, 2);
    write(area, "cache", "here", early);
    write(area, "area", "there", late);
    unlinkSync(area.refDb);
    const { result } = await reduceSafely(area);
    expect(result.moved.runs).toBe(4);
    expect(commentOf(area, id)).toBe("here");
    expect(keptVersions(area, "tests", id, "comment")).toEqual(['"there"']);
  });

  it("the cache's version moves in databases that have no time of update", async () => {
    const area = agreedArea({ old: true });
    const id = firstTestOf(area, 2);
    edit(area, ["area"], (db) => db.prepare("UPDATE tests SET comment = 'there' WHERE id = ?").run(id));
    await reduceSafely(area);
    expect(commentOf(area, id)).toBe("");
    expect(keptVersions(area, "tests", id, "comment")).toEqual(['"there"']);
  });

  it("a type alone is a difference: the text '5' is not the number 5", async () => {
    const area = agreedArea();
    const id = firstTestOf(area, 2);
    edit(area, ["cache", "ref"], (db) =>
      quietly(db, "tests", `UPDATE tests SET comment = x'35' WHERE id = ${id}`),
    );
    edit(area, ["area"], (db) => quietly(db, "tests", `UPDATE tests SET comment = '5' WHERE id = ${id}`));
    await reduceSafely(area);
    expect(completedColumn(area, "SELECT typeof(comment) FROM tests WHERE id = ?", id)).toEqual(["blob"]);
    expect(keptVersions(area, "tests", id, "comment")).toEqual(['"5"']);
  });

  it.each(["runs", "test_steps", "test_data"])("the same rule holds for a row of %s", async (table) => {
    const area = agreedArea();
    const test = firstTestOf(area, 2);
    const where = table === "runs" ? "id = 2" : `id = (SELECT min(id) FROM ${table} WHERE test_id = ${test})`;
    const set = (comment: string, time: number) =>
      `UPDATE ${table} SET comment = '${comment}', last_update = ${time} WHERE ${where}`;
    for (const [place, sql] of [
      ["cache", set("old", early)],
      ["ref", set("old", early)],
      ["area", set("new", late)],
    ] as const) {
      edit(area, [place], (db) => quietly(db, table, sql));
    }
    const { result } = await reduceSafely(area);
    expect(completedColumn(area, `SELECT comment FROM ${table} WHERE ${where}`)).toEqual(["new"]);
    expect(result.superseded).toBe(1);
  });

  it.each(["copied", "removing"])(
    "the run moves, however large, although a job that died at %s kept the losing version",
    async (step) => {
      const area = newArea({ runs: 3, inFlight: 0, unsynced: false, testsPerRun: 300 });
      const id = firstTestOf(area, 2);
      write(area, "cache", "old", early);
      write(area, "ref", "old", early);
      write(area, "area", "newer", late);
      const failpoint = (name: string) => {
        if (name === step) throw new Error("died");
      };
      const run2 = { runname: undefined, runId: [2] };
      await expect(runReduce(area, run2, { failpoint })).rejects.toThrow("died");
      const { result } = await reduceSafely(area, run2);
      expect(result.runs.map(({ id }) => id)).toEqual([2]);
      expect(commentOf(area, id)).toBe("newer");
    },
  );
});

describe("a row that only some of the databases have", () => {
  it.each<[string, readonly Place[]]>([
    ["the cache alone", ["cache"]],
    ["megatest.db alone", ["area"]],
    ["cache and ref, for a sync was killed", ["cache", "ref"]],
    ["ref and megatest.db, for a client deleted it in the cache", ["ref", "area"]],
  ])("goes along with what hangs on it where it is in %s", async (_, places) => {
    const area = agreedArea();
    const test = addTestIn(area, places, 2, "only_somewhere");
    const { result } = await reduceSafely(area);
    expect(completedColumn(area, "SELECT run_id FROM tests WHERE id = ?", test)).toEqual([2]);
    expect(completedColumn(area, "SELECT count(*) FROM test_steps WHERE test_id = ?", test)).toEqual([2]);
    expect(completedColumn(area, "SELECT count(*) FROM test_data WHERE test_id = ?", test)).toEqual([1]);
    expect(result.superseded).toBe(0);
  });

  it.each<[string, readonly Place[]]>([
    ["the cache", ["cache"]],
    ["megatest.db", ["area"]],
  ])("is a run of its own where %s alone has it", async (_, places) => {
    const area = agreedArea();
    const run = addRunIn(area, places, "only_somewhere");
    const { result } = await reduceSafely(area);
    expect(result.runs).toContainEqual({ id: run, target: "none/none/none", runname: "only_somewhere" });
  });

  it("is kept aside and does not rise again where the ref alone remembers it", async () => {
    const area = agreedArea();
    const test = addTestIn(area, ["ref"], 2, "only_in_the_ref");
    const { result } = await reduceSafely(area);
    expect(completedColumn(area, "SELECT count(*) FROM tests WHERE id = ?", test)).toEqual([0]);
    expect(keptVersions(area, "tests", test, "testname")).toEqual(['"only_in_the_ref"']);
    expect(result).toMatchObject({ superseded: 4, late: 0 });
    for (const file of [area.cacheDb, area.refDb, area.megatestDb]) {
      expect(readColumn(file, "SELECT testname FROM tests WHERE testname NOT LIKE 'mtjobs%'")).toEqual([]);
    }
  });

  it("moves under its newest id where a step was reported again since the last sync", async () => {
    const area = agreedArea();
    const { testId, oldId, newId } = reportStepAgain(area, 2);
    const { result } = await reduceSafely(area);
    const ids = completedColumn(area, "SELECT id FROM test_steps WHERE test_id = ?", testId);
    expect(ids).toContain(newId);
    expect(ids).not.toContain(oldId);
    expect(keptVersions(area, "test_steps", oldId, "comment")).toEqual(['""']);
    expect(result.superseded).toBe(1);
  });
});
