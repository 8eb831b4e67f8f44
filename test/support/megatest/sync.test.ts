import { utimesSync } from "node:fs";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import {
  addTestIn,
  changeInCacheOnly,
  changeInMegatestDbOnly,
  deleteRun,
  leaveMegatestDbBehind,
  reportStepAgain,
} from "../area/area-traits.ts";
import { edit, makeRefillDue } from "../area/edit-area.ts";
import { addOddValues } from "../area/odd-values.ts";
import { newArea } from "../area/temp-area.ts";
import { snapshot } from "../oracle/snapshot.ts";
import { carriedTables } from "./carried-tables.ts";
import { cleanUp } from "./cleanup.ts";
import { openAsMegatest } from "./refill.ts";
import { pauseMs, syncOnce } from "./sync.ts";

function value(file: string, sql: string, ...values: unknown[]): unknown {
  const db = new Database(file, { readonly: true });
  try {
    return db
      .prepare(sql)
      .pluck()
      .get(...values);
  } finally {
    db.close();
  }
}

/** Returns only a table's carried columns. */
function carriedRows(file: string, table: string, keys: readonly string[]): string[] {
  const columns = carriedTables(keys).find((spec) => spec.table === table)?.columns ?? [];
  const content = snapshot(file).tables.get(table);
  return (content?.rows ?? [])
    .map((row) => columns.map((name) => row[content?.columns.indexOf(name) ?? -1]).join(" "))
    .sort();
}

describe("the emulated sync", () => {
  it("makes megatest.db and the ref equal to the cache in all carried columns, odd values included", async () => {
    const area = newArea();
    addOddValues(area, 3);
    const result = await syncOnce(area);
    expect(result.ran).toBe(true);
    for (const { table } of carriedTables(area.keys)) {
      const cache = carriedRows(area.cacheDb, table, area.keys);
      expect(carriedRows(area.refDb, table, area.keys), table).toEqual(cache);
      expect(carriedRows(area.megatestDb, table, area.keys), table).toEqual(cache);
    }
    utimesSync(area.megatestDb, 1, 1);
    expect((await syncOnce(area)).rows).toEqual({});
  });

  it("waits while megatest.db was modified in the last four seconds", async () => {
    const area = newArea();
    utimesSync(area.megatestDb, new Date(), new Date());
    expect(await syncOnce(area)).toEqual({ ran: false, rows: {} });
  });

  it("writes a row's uncarried columns as their defaults", async () => {
    const area = newArea();
    const testId = changeInCacheOnly(area, 2);
    const begun = Math.floor(Date.now() / 1000);
    await syncOnce(area);
    expect(
      value(area.megatestDb, "SELECT last_update FROM tests WHERE id = ?", testId),
    ).toBeGreaterThanOrEqual(begun);
    expect(value(area.megatestDb, "SELECT max(author) FROM test_meta")).toBe("");
  });

  it("carries last_update as it is where it is of the newer kind, and so does a refill", async () => {
    const area = newArea({ syncsLastUpdate: true, unsynced: false });
    expect((await syncOnce(area)).rows).toEqual({});
    const testId = changeInCacheOnly(area, 2);
    edit(area, ["cache"], (db) => {
      db.exec("DROP TRIGGER update_tests_trigger");
      db.prepare("UPDATE tests SET last_update = 77 WHERE id = ?").run(testId);
    });
    expect((await syncOnce(area, { quietMs: 0 })).rows).toEqual({ tests: 1 });
    const times = [area.refDb, area.megatestDb].map((file) =>
      value(file, "SELECT last_update FROM tests WHERE id = ?", testId),
    );
    expect(times).toEqual([77, 77]);
    const mine = changeInMegatestDbOnly(area, 3, "mine");
    const time = value(area.megatestDb, "SELECT last_update FROM tests WHERE id = ?", mine);
    makeRefillDue(area);
    await openAsMegatest(area);
    expect(value(area.cacheDb, "SELECT last_update FROM tests WHERE id = ?", mine)).toBe(time);
  });

  it("of the newer kind waits 3 s and 30 times the load, only where megatest.db is older than the last sync", async () => {
    const area = newArea({ syncsLastUpdate: true });
    const present = Date.now();
    utimesSync(area.megatestDb, new Date(present - 2000), new Date(present - 2000));
    expect((await syncOnce(area, { lastBegunAt: present - 1000 })).ran).toBe(false);
    expect((await syncOnce(area, { lastBegunAt: present - 2500 })).ran).toBe(true);
    expect(pauseMs(3)).toBe(93_000);
  });

  it("never carries a deletion, and brings back what left the ref but not the cache", async () => {
    const area = newArea({ unsynced: false });
    edit(area, ["cache"], (db) => db.exec("DELETE FROM tests WHERE id = 1"));
    edit(area, ["ref", "area"], (db) => db.exec("DELETE FROM tests WHERE id = 2"));
    await syncOnce(area);
    expect(value(area.megatestDb, "SELECT count(*) FROM tests WHERE id IN (1, 2)")).toBe(2);
  });

  it("leaves a change of megatest.db alone, and one that was lost on the way to it", async () => {
    const area = newArea({ unsynced: false });
    const mine = changeInMegatestDbOnly(area, 2, "mine");
    const lost = leaveMegatestDbBehind(area, 3, "lost");
    await syncOnce(area);
    expect(value(area.megatestDb, "SELECT comment FROM tests WHERE id = ?", mine)).toBe("mine");
    expect(value(area.megatestDb, "SELECT comment FROM tests WHERE id = ?", lost)).not.toBe("lost");
  });

  it("removes the older id of a step that was reported again", async () => {
    const area = newArea({ unsynced: false });
    const { oldId, newId } = reportStepAgain(area, 4);
    await syncOnce(area);
    expect(
      value(area.megatestDb, "SELECT group_concat(id) FROM test_steps WHERE id IN (?, ?)", oldId, newId),
    ).toBe(String(newId));
  });

  it("stops at the points named, with the source read and nothing written", async () => {
    const area = newArea({ unsynced: false });
    const testId = changeInCacheOnly(area, 2, "seen");
    const seen: string[] = [];
    await syncOnce(area, {
      at: (table, point) => {
        if (table !== "tests") return;
        const comment = value(area.refDb, "SELECT comment FROM tests WHERE id = ?", testId);
        seen.push(`${point}: ${comment === "seen" ? "written" : "not written"}`);
      },
    });
    expect(seen).toEqual([
      "source-read: not written",
      "reference-read: not written",
      "first-written: written",
      "table-done: written",
    ]);
  });
});

describe("the emulated refill", () => {
  it("overwrites ref and cache from megatest.db, but only where megatest.db is over ten seconds newer", async () => {
    const area = newArea({ unsynced: false });
    const testId = changeInMegatestDbOnly(area, 2, "mine");
    addTestIn(area, ["area"], 3, "only_there");
    expect(await openAsMegatest(area)).toBeNull();
    makeRefillDue(area);
    expect(await openAsMegatest(area)).toMatchObject({ tests: 2, test_steps: 2, test_data: 1 });
    expect(value(area.cacheDb, "SELECT comment FROM tests WHERE id = ?", testId)).toBe("mine");
  });
});

describe("the emulated clean-up", () => {
  it("deletes hidden rows, tests without a run and runs without tests", () => {
    const area = newArea({ unsynced: false });
    deleteRun(area, 1);
    edit(area, ["area"], (db) => {
      db.exec(
        "DELETE FROM runs WHERE id = 2; DELETE FROM tests WHERE run_id = 3; UPDATE tests SET state = 'DELETED' WHERE id = 50",
      );
    });
    cleanUp([area.megatestDb]);
    expect(value(area.megatestDb, "SELECT group_concat(id) FROM runs WHERE id < 5")).toBe("4");
    expect(value(area.megatestDb, "SELECT count(*) FROM tests WHERE run_id IN (1, 2, 3) OR id = 50")).toBe(0);
  });
});
