import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { JobsError } from "../../../shared/errors.ts";
import { assertNothingLost, completedColumn, edit, newArea, type Place } from "../../support/area.ts";
import { movedIds, reduceSafely, runReduce, runRestore, skippedBy, unionOf } from "../../support/queue.ts";

const tables = ["run_stats", "extradat", "test_rundat", "archives"] as const;
const places: Record<string, readonly Place[]> = { "the cache": ["cache", "ref"], "megatest.db": ["area"] };
const cases = tables.flatMap((table) =>
  Object.entries(places).map(([name, lacks]) => [table, name, lacks] as const),
);

const build = () => newArea({ runs: 4, inFlight: 0, unsynced: false, testsPerRun: 4 });

const drop = (area: SampleArea, table: string, from: readonly Place[]) =>
  edit(area, from, (db) => db.exec(`DROP TABLE ${table}`));

const die = (at: string) => ({
  failpoint: (step: string) => {
    if (step === at) throw new JobsError("stopped", "died");
  },
});

describe("a table that never syncs", () => {
  it.each(cases)("moves to and fro from where it is: %s, missing in %s", async (table, _, lacks) => {
    const area = build();
    drop(area, table, lacks);
    const dry = await runReduce(area, { dryRun: true });
    expect(dry.result.moved.runs).toBe(4);
    const { before, result } = await reduceSafely(area);
    expect(result).toMatchObject({ moved: { runs: 4 }, skippedCounts: {} });
    expect(result.moved[table]).toBeGreaterThan(0);
    const dryRestore = await runRestore(area, { dryRun: true });
    expect(dryRestore.result.moved.runs).toBe(4);
    const restored = await runRestore(area);
    expect(restored.result).toMatchObject({ moved: { runs: 4, [table]: result.moved[table] }, warnings: [] });
    assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
  });

  it.each(Object.entries(places))(
    "is met by the next job after one that died, missing in %s",
    async (_, lacks) => {
      const area = build();
      drop(area, "extradat", lacks);
      const before = unionOf(area);
      await expect(runReduce(area, {}, die("removed-from-cache"))).rejects.toThrow("died");
      expect((await reduceSafely(area)).result.moved.runs).toBe(4);
      await expect(runRestore(area, {}, die("whole"))).rejects.toThrow("died");
      const { result } = await runRestore(area);
      expect(result).toMatchObject({ moved: { runs: 4 }, warnings: [] });
      expect(result.undone).toBeUndefined();
      assertNothingLost(before, unionOf(area), { anyLastUpdate: true });
    },
  );

  it("that is dropped in the middle of a restore keeps the copies of its rows", async () => {
    const area = build();
    await runReduce(area);
    const rows = completedColumn(area, "SELECT count(*) FROM extradat");
    const failpoint = (step: string) => {
      if (step === "whole") drop(area, "extradat", ["cache", "ref", "area"]);
    };
    await expect(runRestore(area, {}, { failpoint })).rejects.toMatchObject({ code: "unknown-schema" });
    const { result } = await runRestore(area);
    expect(result).toMatchObject({ undone: { restore: 4 }, skippedCounts: { changed: 4 } });
    expect(completedColumn(area, "SELECT count(*) FROM extradat")).toEqual(rows);
  });

  it.each([
    ["all", ["cache", "ref", "area"]],
    ["cache and megatest.db", ["cache", "area"]],
  ] as const)(
    "that came to be missing in %s keeps the runs with rows in it in completed-runs.db",
    async (_, lacks) => {
      const area = build();
      edit(area, ["cache", "ref", "area"], (db) => db.exec("DELETE FROM extradat WHERE run_id <> 2"));
      await runReduce(area);
      const rows = completedColumn(area, "SELECT run_id FROM extradat");
      expect(rows).toContain(2);
      drop(area, "extradat", lacks);
      const { result } = await runRestore(area);
      expect(skippedBy(result)).toEqual({ 2: "changed" });
      expect(movedIds(result)).toEqual([1, 3, 4]);
      expect(result.warnings).toEqual([
        "runs with rows in extradat stay in completed-runs.db: no database of the area has that table",
      ]);
      expect(completedColumn(area, "SELECT run_id FROM extradat")).toEqual(rows);
    },
  );
});
