import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { SampleArea, SampleAreaOptions } from "../../../producers/demo/sample-area/build-area.ts";
import {
  addOrphans,
  changeInMegatestDbOnly,
  firstTestOf,
  leaveMegatestDbBehind,
  lockRun,
} from "../area/area-traits.ts";
import { edit } from "../area/edit-area.ts";
import { addNullKeys, addOddValues } from "../area/odd-values.ts";
import { filesOf, newArea } from "../area/temp-area.ts";
import { assertNothingLost, assertWritesKept, findLosses } from "./assert-nothing-lost.ts";
import { moveByHand } from "./move-by-hand.ts";
import type { Union } from "./records.ts";
import { unionOfRuns } from "./union.ts";

const moved = 3;

function settledArea(options: Partial<SampleAreaOptions> = {}): SampleArea {
  const area = newArea({ unsynced: false, ...options });
  addOddValues(area, moved);
  addNullKeys(area, moved);
  return area;
}

/** Moves a run correctly, then damages completed-runs.db with the given SQL, and returns the comparer's findings. */
function findingsAfter(spoil: string, area = settledArea()): string[] {
  const before = unionOfRuns(filesOf(area));
  moveByHand(area, moved);
  const db = new Database(filesOf(area).completedDb);
  db.pragma("foreign_keys = OFF");
  db.exec(spoil);
  db.close();
  return findLosses(before, unionOfRuns(filesOf(area)));
}

function recordOf(union: Union, table: string, id: number) {
  return [...union.records.values()].find((record) => record.table === table && record.id === `i:${id}`);
}

describe("assertNothingLost", () => {
  it("finds nothing without a change", () => {
    const area = newArea();
    const before = unionOfRuns(filesOf(area));
    expect(findLosses(before, unionOfRuns(filesOf(area)))).toEqual([]);
  });

  it("finds nothing where a run with odd values and NULL keys moved rightly", () => {
    expect(findingsAfter("SELECT 1")).toEqual([]);
  });

  it("finds nothing where a run moved whose row guards its id in the area", () => {
    const area = settledArea();
    const before = unionOfRuns(filesOf(area));
    moveByHand(area, moved);
    edit(area, ["cache", "area"], (db) => {
      db.exec("INSERT INTO runs (id, runname, state) VALUES (900, 'mtjobs-id-guard', 'deleted')");
      db.exec(
        "INSERT INTO tests (id, run_id, testname, state) VALUES (9000, 900, 'mtjobs-id-guard', 'DELETED')",
      );
      db.exec("CREATE TABLE mtjobs_fence (id INTEGER PRIMARY KEY, token INTEGER)");
    });
    expect(findLosses(before, unionOfRuns(filesOf(area)))).toEqual([]);
  });

  it.each([
    ["a lost step", "DELETE FROM test_steps WHERE id = (SELECT min(id) FROM test_steps)", /^lost: /],
    [
      "one byte of invalid text",
      "UPDATE runs SET comment = CAST(x'66fffe816f' AS TEXT)",
      /comment was text 66FFFE806F/,
    ],
    [
      "an integer become text",
      "UPDATE tests SET diskfree = 'x' || diskfree WHERE diskfree > 0",
      /diskfree was i:/,
    ],
    [
      "a time of update",
      "DROP TRIGGER update_teststeps_trigger; UPDATE test_steps SET last_update = 5 WHERE id = (SELECT min(id) FROM test_steps)",
      /last_update was i:/,
    ],
    ["another id", "UPDATE test_data SET id = id + 100000", /id was i:/],
    [
      "a step on the wrong test",
      "UPDATE test_steps SET test_id = (SELECT max(id) FROM tests), stepname = 'x' || stepname WHERE id = (SELECT min(id) FROM test_steps)",
      /^lost: /,
    ],
    ["a step without a test", "INSERT INTO test_steps (test_id, stepname) VALUES (77777, 's')", /^orphan/],
    ["a lost count of the run", "DELETE FROM run_stats", /run_stats:.*was there 1 times, is there 0/],
    [
      "a doubled note",
      "INSERT INTO extradat (run_id, key, val) SELECT run_id, key, val FROM extradat",
      /extradat:.*is there 2/,
    ],
    ["a run not finished", "UPDATE mtjobs_runs SET state = 'removing'", /still removing/],
    ["a test without its description", "DELETE FROM test_meta", /lacks the description/],
    ["a key missing", "DELETE FROM keys", /lacks the key "sysname"/],
  ])("finds %s", (_, spoil, finding) => {
    const findings = findingsAfter(spoil);
    expect(findings.join("\n")).toMatch(new RegExp(finding.source, "m"));
  });

  it("finds a run that is in both places, and one left in the ref alone", () => {
    const area = settledArea();
    const before = unionOfRuns(filesOf(area));
    const rows = rowsOfRun(area);
    moveByHand(area, moved);
    edit(area, ["area"], (db) => putBack(db, rows));
    expect(findLosses(before, unionOfRuns(filesOf(area))).join("\n")).toMatch(
      /in the area and in completed-runs.db: runs:/,
    );
    edit(area, ["area"], (db) => db.prepare("DELETE FROM runs WHERE id = ?").run(moved));
    edit(area, ["ref"], (db) => putBack(db, rows));
    expect(findLosses(before, unionOfRuns(filesOf(area)))).toEqual([`left in the ref: runs i:${moved}`]);
  });

  it("finds an id that stands for a moved run and for a new one", () => {
    const area = settledArea();
    const before = unionOfRuns(filesOf(area));
    moveByHand(area, moved);
    edit(area, ["cache"], (db) => db.prepare("INSERT INTO runs (id, runname) VALUES (?, 'new')").run(moved));
    const findings = findLosses(before, unionOfRuns(filesOf(area)), { newRecords: true });
    expect(findings.join("\n")).toMatch(/^runs i:3 stands for two records/m);
  });

  it("finds a late test that was left behind by its run, and an orphan that vanished", () => {
    const area = settledArea();
    addOrphans(area);
    const before = unionOfRuns(filesOf(area));
    moveByHand(area, moved);
    edit(area, ["cache"], (db) => {
      db.prepare("INSERT INTO tests (run_id, testname) VALUES (?, 'late')").run(moved);
      db.exec("DELETE FROM tests WHERE run_id = 987654");
    });
    const findings = findLosses(before, unionOfRuns(filesOf(area)), { newRecords: true }).join("\n");
    expect(findings).toMatch(/^apart from its parent: .*late/m);
    expect(findings).toMatch(/^lost orphan: tests/m);
  });

  it("demands the version that lost, and is content once it is kept", () => {
    const area = settledArea();
    const testId = leaveMegatestDbBehind(area, moved, "newest");
    const before = unionOfRuns(filesOf(area));
    expect(recordOf(before, "tests", testId)?.row.get("comment")).toBe(
      `t:${Buffer.from("newest").toString("hex").toUpperCase()}`,
    );
    expect(before.losers.map((loser) => loser.table)).toEqual(["tests"]);
    const kept = literalsOf(area, testId);
    moveByHand(area, moved);
    expect(findLosses(before, unionOfRuns(filesOf(area))).join("\n")).toMatch(
      /^the version that lost is kept nowhere/,
    );
    const db = new Database(filesOf(area).completedDb);
    db.prepare('INSERT INTO mtjobs_superseded (table_name, row_id, columns, "row") VALUES (?, ?, ?, ?)').run(
      "tests",
      testId,
      kept.columns,
      kept.row,
    );
    db.close();
    assertNothingLost(before, unionOfRuns(filesOf(area)));
  });

  it("takes megatest.db's change if the cache did not change, and the cache's if both did", () => {
    const area = settledArea();
    const theirs = changeInMegatestDbOnly(area, 4, "theirs");
    const both = changeInMegatestDbOnly(area, 5, "theirs");
    edit(area, ["cache"], (db) => db.prepare("UPDATE tests SET comment = 'ours' WHERE id = ?").run(both));
    const union = unionOfRuns(filesOf(area));
    const comment = (id: number) =>
      Buffer.from(recordOf(union, "tests", id)?.row.get("comment")?.slice(2) ?? "", "hex").toString();
    expect([comment(theirs), comment(both)]).toEqual(["theirs", "ours"]);
    expect(union.losers).toHaveLength(2);
  });

  it("finds a changed run that had to stay", () => {
    const area = settledArea();
    const before = unionOfRuns(filesOf(area));
    lockRun(area, 7);
    expect(() => assertNothingLost(before, unionOfRuns(filesOf(area)))).toThrow(
      /state was "new", is "locked"/,
    );
  });
});

describe("assertWritesKept", () => {
  it("names an acknowledged write that is nowhere, and takes one that is there", () => {
    const area = settledArea();
    const id = firstTestOf(area, moved);
    const write = {
      number: 1,
      table: "tests" as const,
      id,
      parent: null,
      values: { comment: "said" },
      tookMs: 1,
    };
    edit(area, ["cache"], (db) => db.prepare("UPDATE tests SET comment = 'said' WHERE id = ?").run(id));
    assertWritesKept([write], unionOfRuns(filesOf(area)));
    expect(() =>
      assertWritesKept([{ ...write, values: { comment: "unsaid" } }], unionOfRuns(filesOf(area))),
    ).toThrow(/1 acknowledged writes lost/);
  });
});

function rowsOfRun(area: SampleArea): Record<string, unknown> {
  const db = new Database(area.megatestDb, { readonly: true });
  const row = db.prepare("SELECT * FROM runs WHERE id = ?").get(moved) as Record<string, unknown>;
  db.close();
  return row;
}

function putBack(db: Database.Database, row: Record<string, unknown>): void {
  const names = Object.keys(row);
  db.prepare(`INSERT INTO runs (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`).run(
    ...Object.values(row),
  );
}

function literalsOf(area: SampleArea, testId: number): { columns: string; row: string } {
  const db = new Database(area.megatestDb, { readonly: true });
  const columns = db.prepare<[], string>("SELECT name FROM pragma_table_info('tests')").pluck().all();
  const row = db
    .prepare(`SELECT ${columns.map((name) => `quote(${name})`).join(" || ',' || ")} FROM tests WHERE id = ?`)
    .pluck()
    .get(testId);
  db.close();
  return { columns: JSON.stringify(columns), row: String(row) };
}
