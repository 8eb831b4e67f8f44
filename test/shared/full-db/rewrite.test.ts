import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FullDb } from "../../../producers/full-db/full-db.ts";
import { openReader } from "../../../producers/full-db/open-reader.ts";
import type { Parameters } from "../../../producers/full-db/parameters.ts";
import { makeRewriter } from "../../../producers/full-db/rewrite/rewrite.ts";
import { tokenize } from "../../../shared/sqlite/tokens.ts";
import { isCampaign } from "../../support/area.ts";
import { type DividedArea, divideArea, openToWrite } from "../../support/queue.ts";
import { onlyViews, rewritable } from "./known-queries.ts";
import { generatedQuery } from "./query-generator.ts";

/**
 * 6 of 12 small runs moved, one in each state that a run can be found in, with their rows on both sides but for the
 * last one's; and rows that no run or test claims.
 */
async function mixedArea(): Promise<DividedArea> {
  const divided = await divideArea([1, 3, 4, 7, 8, 10], {
    testsPerRun: 4,
    stepsPerTest: 3,
    dataPerTest: 2,
    change: (db) =>
      db.exec(`INSERT INTO tests (id, run_id, testname, last_update) VALUES (8001, NULL, 'orphan', 0), (8002, 777, 'orphan', 0);
        INSERT INTO test_steps (id, test_id, stepname, state, last_update) VALUES (8001, NULL, 'orphan', 'end', 0), (8002, 777, 'orphan', 'end', 0);
        DELETE FROM test_steps WHERE test_id % 5 = 0; UPDATE tests SET state = NULL WHERE id % 7 = 0`),
  });
  openToWrite(divided.files.completedDb, (db) => {
    const set = db.prepare("UPDATE mtjobs_runs SET state = ? WHERE run_id = ?");
    const states = { copying: 1, removing: 3, moved: 4, restoring: 7, restored: 8 };
    for (const [state, run] of Object.entries(states)) set.run(state, run);
  });
  openToWrite(divided.files.main, (db) => {
    db.exec(`ATTACH '${divided.undivided}' AS was`);
    for (const table of ["runs", "tests", "test_steps", "test_data"]) {
      const tests = "SELECT id FROM was.tests WHERE run_id = 10";
      const gone = { runs: "id = 10", tests: "run_id = 10" }[table] ?? `test_id IN (${tests})`;
      db.exec(`INSERT OR IGNORE INTO ${table} SELECT * FROM was.${table} WHERE (${gone}) IS NOT 1`);
    }
  });
  return divided;
}

/** The rows of a query in the order it gives, or sorted where it leaves that open. */
function shown(rows: unknown[], ordered: boolean): string[] {
  const lines = rows.map((row) => JSON.stringify(row));
  return ordered ? lines : lines.sort();
}

function withRewriter<T>(
  { files }: DividedArea,
  use: (rewrite: (sql: string) => string | undefined) => T,
): T {
  const reader = openReader(files);
  try {
    if (reader.union === undefined) throw new Error("no full-db mode");
    const rewriter = makeRewriter(reader.db, reader.union);
    return use((sql) => rewriter.rewrite(sql, tokenize(sql)));
  } finally {
    reader.close();
  }
}

const queries = isCampaign ? 10_000 : 800;

describe("the rewrite of joins", () => {
  it("gives the rows of the views and of an undivided database for generated queries", async () => {
    const divided = await mixedArea();
    const full = new FullDb(divided.files);
    const views = new FullDb(divided.files, { rewrite: false });
    const whole = new Database(divided.undivided, { readonly: true });
    let rewritten = 0;
    withRewriter(divided, (rewrite) => {
      fc.assert(
        fc.property(generatedQuery, ({ sql, parameters, ordered }) => {
          if (rewrite(sql) !== undefined) rewritten++;
          const expected = shown(whole.prepare(sql).all(...parameters), ordered);
          const query = full.prepare(sql);
          expect(shown(query.all(...parameters), ordered)).toEqual(expected);
          expect(shown(views.prepare(sql).all(...parameters), ordered)).toEqual(expected);
          expect(query.columns).toEqual(
            whole
              .prepare(sql)
              .columns()
              .map(({ name }) => name),
          );
        }),
        { numRuns: queries },
      );
    });
    expect(rewritten).toBeGreaterThan(queries / 2);
    for (const db of [full, views, whole]) db.close();
  }, 600_000);

  it("is made where a join provably stays on one side, and not elsewhere", async () => {
    const divided = await mixedArea();
    const full = new FullDb(divided.files);
    const whole = new Database(divided.undivided, { readonly: true });
    withRewriter(divided, (rewrite) => {
      for (const [expected, list] of [
        [true, rewritable],
        [false, onlyViews],
      ] as const) {
        for (const sql of list) {
          expect([sql, rewrite(sql) !== undefined]).toEqual([sql, expected]);
          const query = full.prepare(sql);
          expect([sql, query.columns]).toEqual([
            sql,
            whole
              .prepare(sql)
              .columns()
              .map(({ name }) => name),
          ]);
          expect([sql, shown([...query.iterateRaw()], true)]).toEqual([
            sql,
            shown(whole.prepare(sql).raw().all(), true),
          ]);
        }
      }
    });
    full.close();
    whole.close();
  });

  it("keeps each statement's parameters apart, however they are written", async () => {
    const divided = await mixedArea();
    const full = new FullDb(divided.files);
    const whole = new Database(divided.undivided, { readonly: true });
    const from = "FROM runs r JOIN tests t ON t.run_id = r.id";
    const cases = [
      [`SELECT r.id, t.id ${from} WHERE r.id > ? AND t.id < ? ORDER BY t.id LIMIT ?`, [2, 40, 5]],
      [`SELECT ? AS a, r.id ${from} WHERE r.id = ? ORDER BY t.id`, ["x", 3]],
      [
        `SELECT r.id, count(*) ${from} WHERE t.id > @low AND t.id <= $high GROUP BY r.id ORDER BY 1`,
        [{ low: 3, high: 30 }],
      ],
      [
        `SELECT t.state, count(*) ${from} WHERE r.id <> :run GROUP BY t.state HAVING count(*) > :run ORDER BY 1`,
        [{ run: 2 }],
      ],
      [
        `SELECT r.id FROM runs r WHERE r.id IN (SELECT run_id FROM tests WHERE id > ? ORDER BY id LIMIT ?) AND r.id < ? ORDER BY 1`,
        [5, 20, 9],
      ],
    ] as const;
    for (const [sql, parameters] of cases) {
      const expected = whole.prepare<unknown[]>(sql).all(...parameters);
      expect(expected.length).toBeGreaterThan(0);
      expect([sql, full.prepare(sql).all(...(parameters as unknown as Parameters))]).toEqual([sql, expected]);
    }
    full.close();
    whole.close();
  });
});
