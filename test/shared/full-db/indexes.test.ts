import { describe, expect, it } from "vitest";
import { FullDb } from "../../../producers/full-db/full-db.ts";
import { divideArea } from "../../support/queue.ts";

/** Queries whose filter has an index on both sides, and how many tables of both sides they read, one in a sub-select twice. */
const filtered: readonly (readonly [sql: string, tables: number])[] = [
  ["SELECT * FROM runs WHERE id = 3", 2],
  ["SELECT * FROM runs WHERE runname = 'w01.1'", 2],
  ["SELECT * FROM tests WHERE id IN (1, 2)", 2],
  ["SELECT * FROM tests WHERE run_id = 3", 2],
  ["SELECT * FROM test_steps WHERE test_id = 3", 2],
  ["SELECT * FROM test_data WHERE test_id = 3 AND category = 'x'", 2],
  ["SELECT state, count(*) FROM tests WHERE run_id = 3 GROUP BY state", 2],
  ["SELECT * FROM tests t JOIN test_steps s ON s.test_id = t.id WHERE t.run_id = 3", 4],
  ["SELECT * FROM runs r LEFT JOIN tests t ON t.run_id = r.id WHERE r.id = 3 ORDER BY t.event_time", 4],
  ["SELECT r.id, (SELECT count(*) FROM tests t WHERE t.run_id = r.id) FROM runs r WHERE r.id = 3", 6],
];

describe("a filter on run_id, test_id, id or runname", () => {
  it("is served by indexes on both sides, in joins and sub-selects too", async () => {
    const { files } = await divideArea([1, 2, 3]);
    const db = new FullDb(files);
    for (const [sql, tables] of filtered) {
      const plan = db
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map(({ detail }) => String(detail))
        .filter((step) => !step.includes("mtjobs_"));
      // What is left to scan are results of sub-selects, as `SCAN (subquery-3)`.
      expect([sql, plan.filter((step) => /^SCAN [a-z]/.test(step))]).toEqual([sql, []]);
      expect([sql, plan.filter((step) => step.startsWith("SEARCH")).length]).toEqual([sql, tables]);
    }
    db.close();
  });
});
