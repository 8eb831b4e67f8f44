import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FullDb } from "../../../shared/full-db/full-db.ts";
import { openReader } from "../../../shared/full-db/open.ts";
import { makeRewriter } from "../../../shared/full-db/sql/rewrite.ts";
import { tokenize } from "../../../shared/full-db/sql/tokens.ts";
import { type DividedArea, divideArea } from "../../support/divided-area.ts";
import { generatedQuery } from "../../support/query-generator.ts";

/** 6 of 12 small runs moved, with rows that no run or test claims. */
function mixedArea(): Promise<DividedArea> {
  return divideArea([1, 3, 4, 7, 8, 10], {
    testsPerRun: 4,
    stepsPerTest: 3,
    dataPerTest: 2,
    change: (db) =>
      db.exec(`INSERT INTO tests (id, run_id, testname, last_update) VALUES (8001, NULL, 'orphan', 0), (8002, 777, 'orphan', 0);
        INSERT INTO test_steps (id, test_id, stepname, state, last_update) VALUES (8001, NULL, 'orphan', 'end', 0), (8002, 777, 'orphan', 'end', 0);
        DELETE FROM test_steps WHERE test_id % 5 = 0; UPDATE tests SET state = NULL WHERE id % 7 = 0`),
  });
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
        { numRuns: 400 },
      );
    });
    expect(rewritten).toBeGreaterThan(200);
    for (const db of [full, views, whole]) db.close();
  });
});
