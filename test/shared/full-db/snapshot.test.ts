import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { FullDb } from "../../../producers/full-db/full-db.ts";
import { readRows } from "../../support/area.ts";
import { divideArea, runReduceProcess } from "../../support/queue.ts";

interface Operation {
  opcode: string;
  p1: number;
}

const counted = [
  "SELECT count(*) AS n FROM runs",
  "SELECT count(*) AS n FROM tests",
  "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM test_steps",
  "SELECT r.id, count(t.id) AS n FROM runs r LEFT JOIN tests t ON t.run_id = r.id GROUP BY r.id ORDER BY r.id",
  "SELECT count(*) AS n FROM runs r JOIN tests t ON t.run_id = r.id JOIN test_data d ON d.test_id = t.id",
];

describe("one statement over both databases", () => {
  it("takes its view of main before that of completed-runs.db, whether it is rewritten or not", async () => {
    const { files } = await divideArea([1, 2, 3]);
    for (const rewrite of [true, false]) {
      const db = new FullDb(files, { rewrite });
      const names = db.connection
        .prepare<[], { seq: number; name: string }>("SELECT seq, name FROM pragma_database_list")
        .all();
      expect(names.map(({ name }) => name)).toEqual(["main", "temp", "completed"]);
      for (const sql of [
        ...counted,
        "SELECT * FROM tests WHERE id = 7",
        "SELECT id FROM completed.runs UNION SELECT id FROM runs",
      ]) {
        const program = db.prepare(`EXPLAIN ${sql}`).all() as unknown as Operation[];
        const opened = program.filter(({ opcode }) => opcode === "Transaction").map(({ p1 }) => p1);
        // 0 is main, 1 temp; the reading of rows begins only after all of them.
        expect([sql, opened.filter((p1) => p1 !== 1)]).toEqual([sql, [0, 2]]);
      }
      db.close();
    }
  });

  it.each([
    ["rollback", false],
    ["WAL", true],
  ] as const)("sees each run once while a reduce moves it, with a %s cache", async (_, cacheWal) => {
    const { area, files } = await divideArea([1], { runs: 40, testsPerRun: 60, cacheWal });
    const db = new FullDb(files);
    const onArea = new FullDb({ ...files, main: files.megatestDb, source: "megatest.db" });
    const queries = [db, onArea].flatMap((connection) => counted.map((sql) => connection.prepare(sql)));
    const expected = queries.map((query) => JSON.stringify(query.all()));
    let rounds = 0;
    let moving = true;
    const reduce = runReduceProcess(area, ["--runname", "%"]).finally(() => {
      moving = false;
    });
    const states = new Set<number>();
    while (moving) {
      for (const [index, query] of queries.entries())
        expect(JSON.stringify(query.all())).toBe(expected[index]);
      const [{ n = 0 } = {}] = db.connection
        .prepare<[], { n: number }>("SELECT count(*) AS n FROM main.runs")
        .all();
      states.add(n);
      rounds++;
      await sleep(0);
    }
    expect((await reduce).code).toBe(0);
    // It did look while runs went.
    expect(rounds).toBeGreaterThan(5);
    expect(states.size).toBeGreaterThan(2);
    expect(readRows(files.completedDb, "SELECT count(*) AS n FROM runs")).toEqual([{ n: 38 }]);
    for (const [index, query] of queries.entries()) expect(JSON.stringify(query.all())).toBe(expected[index]);
    db.close();
    onArea.close();
  });
});
