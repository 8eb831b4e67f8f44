import { describe, expect, it } from "vitest";
import { edit, everywhere, keptVersions, newArea, readColumn } from "../../support/area.ts";
import { divergence, everywhereAtHome, mergeDivergent, writeTo } from "../../support/hosts.ts";
import { atRest, runReduce } from "../../support/queue.ts";

describe("what only megatest.db has of a row that a divergent cache changed", () => {
  it("is kept: a cache that is gone may have synced it there", async () => {
    const at = divergence();
    writeTo(at.divergent, "UPDATE tests SET comment = 'stray' WHERE id = 2");
    edit(at.home, ["area"], (db) => db.exec("UPDATE tests SET comment = 'area' WHERE id = 2"));
    expect(await mergeDivergent(at)).toEqual({ merged: 1, kept: 1 });
    expect(everywhereAtHome(at.home, "SELECT comment FROM tests WHERE id = 2")).toEqual([
      "stray",
      "stray",
      "stray",
    ]);
    expect(keptVersions(at.home, "tests", 2, "comment")).toEqual([`"area"`]);
  });

  it("is kept with its steps if a new test of that name takes its place", async () => {
    const at = divergence();
    const add = (id: number, comment: string) =>
      `INSERT INTO tests (id, run_id, testname, item_path, state, comment) VALUES (${id}, 1, 'n', '', 'COMPLETED', '${comment}');`;
    writeTo(at.divergent, add(850, "second"));
    edit(at.home, ["area"], (db) =>
      db.exec(
        `${add(900, "first")} INSERT INTO test_steps (id, test_id, stepname, state, comment) VALUES (901, 900, 's', 'end', 'of the first')`,
      ),
    );
    expect(await mergeDivergent(at)).toEqual({ merged: 1, kept: 2 });
    expect(everywhereAtHome(at.home, "SELECT comment FROM tests WHERE testname = 'n'")).toEqual([
      "second",
      "second",
      "second",
    ]);
    expect(keptVersions(at.home, "tests", 900, "comment")).toEqual([`"first"`]);
    expect(keptVersions(at.home, "test_steps", 901, "comment")).toEqual([`"of the first"`]);
  });

  it("is left in place if a constraint of the home rejects the other row, which is kept", async () => {
    const at = divergence();
    edit(at.home, everywhere, (db) =>
      db.exec("CREATE UNIQUE INDEX site_uname ON tests (comment) WHERE comment = 'one'"),
    );
    edit(at.home, everywhere, (db) => db.exec("UPDATE tests SET comment = 'one' WHERE id = 3"));
    writeTo(
      at.divergent,
      "UPDATE tests SET comment = 'one' WHERE id = 2; UPDATE tests SET comment = 'two' WHERE id = 1",
    );
    expect(await mergeDivergent(at)).toEqual({ merged: 1, kept: 1 });
    expect(everywhereAtHome(at.home, "SELECT id FROM tests WHERE comment = 'one'")).toEqual([3, 3, 3]);
    expect(everywhereAtHome(at.home, "SELECT id FROM tests WHERE comment = 'two'")).toEqual([1, 1, 1]);
    expect(keptVersions(at.home, "tests", 2, "comment")).toEqual([`"one"`]);
  });

  it("is kept, too, if the other cache's ref has no such table", async () => {
    const at = divergence();
    const add = (comment: string) =>
      `INSERT INTO tests (id, run_id, testname, item_path, comment) VALUES (850, 1, 'n', '', '${comment}')`;
    writeTo(at.base, "DROP TABLE tests");
    writeTo(at.divergent, add("stray"));
    edit(at.home, ["area"], (db) => db.exec(add("area")));
    await mergeDivergent(at);
    expect(everywhereAtHome(at.home, "SELECT comment FROM tests WHERE id = 850")).toEqual([
      "stray",
      "stray",
      "stray",
    ]);
    expect(keptVersions(at.home, "tests", 850, "comment")).toEqual([`"area"`]);
  });

  it("is not kept if cache and megatest.db had it in common", async () => {
    const at = divergence();
    writeTo(at.divergent, "UPDATE tests SET comment = 'stray' WHERE id = 2");
    expect(await mergeDivergent(at)).toEqual({ merged: 1, kept: 0 });
  });

  it("does not take the id of a test that is only kept, whose steps are kept under it", async () => {
    const area = newArea({ ...atRest, runs: 3, testsPerRun: 3 });
    const test = Number(readColumn(area.cacheDb, "SELECT max(id) FROM tests WHERE run_id = 3")[0]);
    edit(area, ["cache"], (db) =>
      db.exec(`DELETE FROM test_steps WHERE test_id = ${test}; DELETE FROM test_data WHERE test_id = ${test};
        UPDATE tests SET id = id + 1 WHERE id = ${test}`),
    );
    await runReduce(area, { runname: undefined, runId: [3] });
    expect(keptVersions(area, "tests", test, "run_id")).toEqual(["i:3"]);
    const at = divergence(area);
    // A clean-up let it give out the id again.
    writeTo(
      at.divergent,
      `DELETE FROM tests WHERE id >= ${test};
       INSERT INTO runs (id, runname, state, event_time) VALUES (90, 'anew', 'COMPLETED', 5);
       INSERT INTO tests (id, run_id, testname, item_path, state) VALUES (${test}, 90, 'anew', '', 'COMPLETED')`,
    );
    await mergeDivergent(at);
    const [merged] = readColumn(area.cacheDb, "SELECT id FROM tests WHERE testname = 'anew'");
    expect(merged).toBeGreaterThan(test + 1);
  });
});
