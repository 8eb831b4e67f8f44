import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { mergeCache } from "../../../workers/migrate/merge/merge-cache.ts";
import { repairOverwritten } from "../../../workers/migrate/merge/repair-overwritten.ts";
import {
  completedColumn,
  edit,
  everywhere,
  keptVersions,
  openClient,
  readColumn,
  readRows,
  settleTimes,
  syncOnce,
} from "../../support/area.ts";
import { divergence, everywhereAtHome, mergeDivergent, writeTo } from "../../support/hosts.ts";
import { runReduce, withMove } from "../../support/queue.ts";

const target = { sysname: "a", fsname: "b", datapath: "c" };

describe("a row of a divergent cache", () => {
  it("that is as it was is left, whatever became of it at home", async () => {
    const at = divergence();
    edit(at.home, everywhere, (db) =>
      db.exec("UPDATE tests SET comment = 'home' WHERE id = 2; DELETE FROM test_steps WHERE id = 5"),
    );
    expect(await mergeDivergent(at)).toEqual({ merged: 0, kept: 0 });
    expect(everywhereAtHome(at.home, "SELECT comment FROM tests WHERE id = 2")).toEqual([
      "home",
      "home",
      "home",
    ]);
    expect(everywhereAtHome(at.home, "SELECT count(*) FROM test_steps WHERE id = 5")).toEqual([0, 0, 0]);
  });

  it("that changed there alone gives its values to the home's, in all three databases", async () => {
    const at = divergence();
    writeTo(
      at.divergent,
      "UPDATE tests SET comment = 'stray' WHERE id = 2; UPDATE runs SET status = 'stray' WHERE id = 3",
    );
    expect(await mergeDivergent(at)).toEqual({ merged: 2, kept: 0 });
    expect(everywhereAtHome(at.home, "SELECT comment FROM tests WHERE id = 2")).toEqual([
      "stray",
      "stray",
      "stray",
    ]);
    expect(everywhereAtHome(at.home, "SELECT status FROM runs WHERE id = 3")).toEqual([
      "stray",
      "stray",
      "stray",
    ]);
  });

  it("that changed in both stays as it is at home, and the other version is kept once and reported", async () => {
    const at = divergence();
    writeTo(at.divergent, "UPDATE tests SET comment = 'stray' WHERE id = 2");
    edit(at.home, everywhere, (db) => db.exec("UPDATE tests SET comment = 'home' WHERE id = 2"));
    expect(await mergeDivergent(at)).toEqual({ merged: 0, kept: 1 });
    expect(everywhereAtHome(at.home, "SELECT comment FROM tests WHERE id = 2")).toEqual([
      "home",
      "home",
      "home",
    ]);
    expect(keptVersions(at.home, "tests", 2, "comment")).toEqual(['"stray"']);
    expect(completedColumn(at.home, "SELECT source FROM mtjobs_superseded")).toEqual(["stray"]);
  });

  it("that both changed to the same needs nothing", async () => {
    const at = divergence();
    writeTo(at.divergent, "UPDATE tests SET comment = 'same' WHERE id = 2");
    edit(at.home, everywhere, (db) => db.exec("UPDATE tests SET comment = 'same' WHERE id = 2"));
    expect(await mergeDivergent(at)).toEqual({ merged: 0, kept: 0 });
  });

  it("that is new comes home with all below it under its ids, where these are free", async () => {
    const at = divergence();
    const client = openClient(at.divergent);
    const run = client.registerRun(target, "new at the stray");
    const test = client.registerTest(run, "t");
    client.reportStep(test, "s", "start", "0");
    client.reportData(test, "c", "v", 3);
    client.close();
    writeTo(
      at.divergent,
      `INSERT INTO extradat (run_id, key, val) VALUES (${run}, 'k', 'v'); INSERT INTO test_rundat (test_id, cpuload) VALUES (${test}, 9)`,
    );
    expect(await mergeDivergent(at)).toEqual({ merged: 6, kept: 0 });
    expect(everywhereAtHome(at.home, "SELECT id FROM runs WHERE runname = 'new at the stray'")).toEqual([
      run,
      run,
      run,
    ]);
    expect(readColumn(at.home.cacheDb, `SELECT val FROM extradat WHERE run_id = ${run}`)).toEqual(["v"]);
    expect(readColumn(at.home.cacheDb, `SELECT cpuload FROM test_rundat WHERE test_id = ${test}`)).toEqual([
      9,
    ]);
    expect((await syncOnce(at.home, { quietMs: 0 })).rows).toEqual({});
  });

  it("that is new takes a new id where the home uses its own for another, and its children go with it", async () => {
    const at = divergence();
    const clients = [openClient(at.divergent), openClient(at.home.cacheDb)] as const;
    const [there, here] = clients.map((client, index) => {
      const run = client.registerRun(target, `of ${index}`);
      client.reportStep(client.registerTest(run, "t"), `step ${index}`, "start", "0");
      client.close();
      return run;
    });
    expect(there).toBe(here);
    expect(await mergeDivergent(at)).toEqual({ merged: 3, kept: 0 });
    const names = readRows(
      at.home.cacheDb,
      `SELECT r.runname, s.stepname FROM runs AS r JOIN tests AS t ON t.run_id = r.id JOIN test_steps AS s ON s.test_id = t.id
       WHERE r.runname LIKE 'of %' ORDER BY 1`,
    );
    expect(names).toEqual([
      { runname: "of 0", stepname: "step 0" },
      { runname: "of 1", stepname: "step 1" },
    ]);
  });

  it("that both registered is one, and what each reported for it comes together", async () => {
    const at = divergence();
    const clients = [openClient(at.divergent), openClient(at.home.cacheDb)] as const;
    clients[1].registerRun(target, "only at home");
    clients.forEach((client, index) => {
      const test = client.registerTest(client.registerRun(target, "both"), "t");
      client.reportStep(test, `step ${index}`, "start", "0");
      client.close();
    });
    await mergeDivergent(at);
    expect(readColumn(at.home.cacheDb, "SELECT count(*) FROM runs WHERE runname = 'both'")).toEqual([1]);
    const steps = `SELECT stepname FROM test_steps WHERE test_id = (SELECT id FROM tests WHERE run_id =
      (SELECT id FROM runs WHERE runname = 'both')) ORDER BY 1`;
    expect(readColumn(at.home.cacheDb, steps)).toEqual(["step 0", "step 1"]);
  });

  it("that a client registers while the merge waits for a reader is the client's, and its tests go below that", async () => {
    const at = divergence();
    const run = "INSERT INTO runs (id, runname, state, event_time) VALUES";
    writeTo(
      at.divergent,
      `${run} (900, 'night', 'new', 5); INSERT INTO tests (id, run_id, testname, item_path) VALUES (900, 900, 't1', '')`,
    );
    settleTimes(at.home);
    let tries = 0;
    await withMove(at.home, async (session) => {
      const reader = new Database(at.home.cacheDb);
      const rows = reader.prepare("SELECT * FROM runs").iterate();
      rows.next();
      session.db.function("tried", () => ++tries);
      session.db.exec("CREATE TEMP TRIGGER first_try AFTER INSERT ON cache.runs BEGIN SELECT tried(); END");
      // The first try is over once a timer fires after it: the thread waits for the reader until then.
      const timer = setInterval(() => {
        if (tries === 0) return;
        clearInterval(timer);
        rows.return?.();
        reader.close();
        writeTo(at.home.cacheDb, `${run} (901, 'night', 'running', 99)`);
      }, 1);
      await mergeCache({ session, divergent: at.divergent, base: at.base });
    });
    expect(tries).toBe(1);
    expect(readColumn(at.home.cacheDb, "SELECT id FROM runs WHERE runname = 'night'")).toEqual([901]);
    expect(
      readColumn(at.home.cacheDb, "SELECT run_id FROM tests WHERE testname = 't1' AND id >= 900"),
    ).toEqual([901]);
  });

  it("that was reported again under a new id is still the same row", async () => {
    const at = divergence();
    const [step] = readRows(at.divergent, "SELECT * FROM test_steps ORDER BY id LIMIT 1");
    const client = openClient(at.divergent);
    client.reportStep(Number(step?.test_id), String(step?.stepname), String(step?.state), "9", "again");
    client.close();
    expect(await mergeDivergent(at)).toEqual({ merged: 1, kept: 0 });
    expect(everywhereAtHome(at.home, `SELECT comment FROM test_steps WHERE id = ${step?.id}`)).toEqual([
      "again",
      "again",
      "again",
    ]);
  });

  it("whose run has moved to completed-runs.db is kept", async () => {
    const at = divergence();
    await runReduce(at.home, { runId: [1] });
    writeTo(
      at.divergent,
      "UPDATE tests SET comment = 'late' WHERE run_id = 1 AND id = (SELECT min(id) FROM tests WHERE run_id = 1)",
    );
    expect(await mergeDivergent(at)).toEqual({ merged: 0, kept: 1 });
    expect(completedColumn(at.home, "SELECT reason FROM mtjobs_superseded WHERE source = 'stray'")).toEqual([
      "its run or test is not at home",
    ]);
  });

  it("that differs is kept if nothing shows which side changed it, and is merged if it is new", async () => {
    const at = divergence();
    writeTo(
      at.divergent,
      "UPDATE tests SET comment = 'stray' WHERE id = 2; INSERT INTO tests (run_id, testname, item_path) VALUES (1, 'new', '')",
    );
    expect(await mergeDivergent(at, { withBase: false })).toEqual({ merged: 1, kept: 1 });
  });
});

describe("what the sync of a divergent cache wrote to megatest.db", () => {
  it("comes home where the home had not changed it, is written again where it is another row, and nothing is lost", async () => {
    const at = divergence();
    const client = openClient(at.divergent);
    const there = client.registerRun(target, "synced by the stray");
    client.setState(2, "COMPLETED", "FAIL", "synced");
    client.setState(5, "COMPLETED", "FAIL", "synced");
    client.close();
    const own = openClient(at.home.cacheDb);
    expect(own.registerRun(target, "of the home")).toBe(there);
    own.setState(5, "COMPLETED", "PASS", "home");
    own.close();
    settleTimes(at.home);
    await syncOnce(at.home, { quietMs: 0 });
    await syncOnce({ ...at.home, cacheDb: at.divergent, refDb: at.base }, { quietMs: 0 });
    settleTimes(at.home);
    await withMove(at.home, async (session) => {
      await mergeCache({ session, divergent: at.divergent, base: at.base });
      await repairOverwritten(session);
      expect(await repairOverwritten(session)).toBe(0);
    });
    for (const name of ["synced by the stray", "of the home"]) {
      const ids = everywhereAtHome(at.home, `SELECT id FROM runs WHERE runname = '${name}'`);
      expect(new Set(ids).size, name).toBe(1);
      expect(ids[0], name).toBeGreaterThan(0);
    }
    expect(everywhereAtHome(at.home, "SELECT comment FROM tests WHERE id = 2")).toEqual([
      "synced",
      "synced",
      "synced",
    ]);
  });

  it("is kept aside if it replaced another row there that no other database has", async () => {
    const { home } = divergence();
    writeTo(
      home.megatestDb,
      `UPDATE tests SET id = 999, comment = 'under another id' WHERE id = 2;
       INSERT INTO tests (id, run_id, testname, item_path) VALUES (2, 1, 'of a cache that is gone', '')`,
    );
    settleTimes(home);
    await withMove(home, async (session) => {
      expect(await repairOverwritten(session)).toBe(1);
    });
    expect(keptVersions(home, "tests", 2, "testname")).toEqual(['"of a cache that is gone"']);
    expect(keptVersions(home, "tests", 999, "comment")).toEqual(['"under another id"']);
    expect(new Set(everywhereAtHome(home, "SELECT testname FROM tests WHERE id = 2")).size).toBe(1);
  });
});
