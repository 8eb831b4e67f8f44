import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FullDb } from "../../../producers/full-db/full-db.ts";
import { openReader } from "../../../producers/full-db/open-reader.ts";
import type { Parameters } from "../../../producers/full-db/parameters.ts";
import { makeRewriter } from "../../../producers/full-db/rewrite/rewrite.ts";
import { tokenize } from "../../../shared/sqlite/tokens.ts";
import { type DividedArea, divideArea, openToWrite } from "../../support/queue.ts";
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

const joined = "FROM runs r JOIN tests t ON t.run_id = r.id";

/** Joins along ids in every way of writing them. Each has a total order. */
const proved = [
  "SELECT id FROM runs WHERE id = 3",
  `SELECT * ${joined} ORDER BY t.id`,
  `SELECT r.*, t.id ${joined} ORDER BY t.event_time, t.id LIMIT 3, 4`,
  `SELECT t.ID, "r"."runname" AS Name, [t].[state] ${joined} ORDER BY Name COLLATE NOCASE DESC, 1`,
  "SELECT r.id, t.id FROM runs AS r, tests t WHERE (((t.run_id) = (r.id)) AND t.id > 3) ORDER BY 2",
  "SELECT runname, testname FROM tests JOIN runs ON run_id = runs.id ORDER BY tests.id",
  'SELECT runs.id FROM `runs` INNER JOIN [tests] ON "tests".run_id == runs.id ORDER BY tests.id DESC LIMIT 5 OFFSET 2;',
  "SELECT r.id, s.id FROM runs r LEFT JOIN tests t ON t.run_id = r.id AND t.state IS NOT NULL LEFT JOIN test_steps s ON s.test_id = t.id ORDER BY r.id, t.id, s.id",
  "SELECT r.id, s.id FROM runs r LEFT JOIN tests t ON t.run_id = r.id, test_steps s WHERE s.test_id = t.id ORDER BY s.id",
  `SELECT max(t.event_time) AS event_time, r.id ${joined} GROUP BY r.id ORDER BY event_time, r.id`,
  `SELECT t.state AS s, count(*) AS n, group_concat(DISTINCT r.sysname) IS NULL ${joined} GROUP BY s ORDER BY n, s`,
  `SELECT r.sysname, count(*) FILTER (WHERE t.status = 'PASS'), CAST(avg(t.id) AS TEXT) ${joined} GROUP BY 1 HAVING count(*) > 1 AND r.sysname IS DISTINCT FROM 'x' ORDER BY 1`,
  `SELECT upper(t.testname) AS testname, count(*) ${joined} GROUP BY testname ORDER BY testname`,
  `SELECT DISTINCT r.sysname, t.status ${joined} WHERE t.id BETWEEN 2 AND 30 ORDER BY r.sysname, 2 DESC`,
  `SELECT r.id, row_number() OVER (PARTITION BY r.sysname ORDER BY t.id) AS n ${joined} ORDER BY t.id`,
  `SELECT count(*), max(t.id, 1) IS NULL ${joined} WHERE 0`,
  `SELECT sum(n) FROM (SELECT r.id AS one, t.id AS n ${joined} ORDER BY t.state, t.id LIMIT 9)`,
  `SELECT * FROM (SELECT * ${joined} ORDER BY t.id) AS found WHERE found.id > 2`,
  "SELECT r.id, (SELECT count(*) FROM tests t LEFT JOIN test_steps s ON s.test_id = t.id WHERE t.run_id = r.id) FROM runs r ORDER BY r.id",
  "SELECT id FROM runs r WHERE EXISTS (SELECT 1 FROM tests t JOIN test_data d ON d.test_id = t.id WHERE t.run_id = r.id ORDER BY d.value) ORDER BY id",
  `WITH few AS MATERIALIZED (SELECT r.id AS run, t.id AS test ${joined} ORDER BY t.id LIMIT 20) SELECT run, count(*) FROM few GROUP BY run ORDER BY run`,
  `SELECT r.id ${joined} WHERE t.id < 9 UNION SELECT -t.id ${joined} EXCEPT SELECT 3 ORDER BY 1`,
  "SELECT 'FROM tests ORDER BY' AS \"a, b\", t.id /* FROM ( */ FROM tests t -- ) JOIN\n JOIN runs r ON r.id = t.run_id ORDER BY t.id",
  "SELECT id FROM tests WHERE testname LIKE 's%' ORDER BY event_time, id LIMIT 5",
  "SELECT CASE WHEN t.id > 5 AND r.id > 1 THEN 'x' ELSE 'y' END AS c, t.id FROM runs r JOIN tests t ON CASE WHEN 1 THEN 1 END AND t.run_id = r.id ORDER BY c, t.id",
  "SELECT run_id, count(*) AS n FROM tests GROUP BY run_id ORDER BY run_id",
  // In ORDER BY a name alone is an alias before it is a column, also in parentheses and with COLLATE.
  `SELECT -t.id AS id, t.state ${joined} ORDER BY (id) LIMIT 7`,
  `SELECT -t.id AS id, t.state ${joined} ORDER BY ((id) COLLATE NOCASE) COLLATE BINARY DESC LIMIT 7`,
  `SELECT -t.id AS event_time, count(*) ${joined} GROUP BY t.id ORDER BY (event_time) LIMIT 7`,
  `SELECT t.run_id AS n, sum(-t.id) AS event_time ${joined} WHERE t.id > 2 GROUP BY t.testname, t.run_id ORDER BY (event_time), 1 LIMIT 7`,
  `SELECT DISTINCT -t.run_id AS run_id ${joined} ORDER BY (run_id COLLATE NOCASE) LIMIT 3`,
  `SELECT t.id AS n ${joined} ORDER BY (t.state), n DESC`,
  "SELECT -t.run_id AS run_id, t.id FROM tests t ORDER BY likely(run_id), 2 DESC LIMIT 7",
  `SELECT t.testname, -t.id AS n, t.id ${joined} UNION ALL SELECT 'x', id, 1 FROM tests ORDER BY testname COLLATE NOCASE, N, 1`,
  // Only the innermost.
  `SELECT k.id FROM keys k WHERE EXISTS (SELECT count(*) AS n, lower(t.state) AS "fieldname" ${joined} WHERE t.id IN (SELECT s.test_id FROM test_steps s WHERE "fieldname" = 'completed') GROUP BY t.state) ORDER BY 1`,
  `SELECT DISTINCT upper(t.testname) AS testname ${joined} WHERE testname LIKE '%a%' ORDER BY 1`,
];

/** What only the views can answer, or answer as well. */
const left = [
  "SELECT 1 FROM runs",
  "SELECT r.id, t.id FROM runs r JOIN tests t ON t.run_id = r.id OR t.id = 1 ORDER BY 1, 2",
  "SELECT r.id, t.id FROM runs r JOIN tests t ON t.run_id = r.id + 1 ORDER BY 1, 2",
  "SELECT r.id, t.id FROM runs r JOIN tests t ON NOT t.run_id = r.id ORDER BY 1, 2 LIMIT 50",
  "SELECT r.id, t.id FROM runs r LEFT JOIN tests t ON 1 WHERE t.run_id = r.id ORDER BY 1, 2",
  "SELECT t.id, u.id FROM tests t JOIN tests u ON u.testname = t.testname ORDER BY 1, 2 LIMIT 50",
  "SELECT t.id, u.id FROM tests t JOIN tests u ON u.id = t.run_id ORDER BY 1, 2",
  "SELECT s.id, d.id FROM test_steps s JOIN test_data d USING (test_id) ORDER BY 1, 2",
  "SELECT r.id, t.id FROM tests t RIGHT JOIN runs r ON t.run_id = r.id ORDER BY 1, 2",
  "SELECT r.id, k.fieldname FROM runs r, keys k ORDER BY 1, 2",
  "SELECT r.id, j.value FROM runs r, json_each('[1]') j ORDER BY 1",
  "WITH tests(id, run_id) AS (SELECT 1, 3) SELECT r.id FROM runs r JOIN tests t ON t.run_id = r.id ORDER BY 1",
  `SELECT t.state, count(*), (SELECT max(id) FROM keys WHERE keys.id <> t.state) ${joined} GROUP BY t.state ORDER BY 1`,
  `SELECT t.id, sum(t.id) OVER w ${joined} WINDOW w AS (ORDER BY t.id) ORDER BY 1`,
  "SELECT fieldname FROM keys ORDER BY 1",
  `SELECT -t.id AS n, t.state ${joined} ORDER BY n + 1 LIMIT 7`,
  // The alias, not the column of the query around it.
  "SELECT k.id, (SELECT t.id AS fieldname FROM tests t ORDER BY -fieldname LIMIT 1) FROM keys k ORDER BY 1",
  "SELECT k.id FROM keys k WHERE EXISTS (SELECT DISTINCT lower(t.state) AS fieldname FROM tests t WHERE fieldname = 'completed') ORDER BY 1",
  `SELECT k.id, (SELECT lower(t.state) AS fieldname ${joined} AND fieldname = 'completed' GROUP BY t.state) FROM keys k ORDER BY 1`,
  "SELECT k.last, (SELECT -t.id AS last FROM tests t ORDER BY likely(last) LIMIT 1) FROM (SELECT 1 AS last) k",
  // The id of the second SELECT: in the first it could be either.
  `SELECT upper(r.runname), t.id ${joined} UNION ALL SELECT id, -run_id FROM tests ORDER BY id, 2`,
  `SELECT r.id, -t.id AS id ${joined} UNION ALL SELECT 1, 2 ORDER BY id`,
  "VALUES (1), (2)",
];

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
        { numRuns: 800 },
      );
    });
    expect(rewritten).toBeGreaterThan(400);
    for (const db of [full, views, whole]) db.close();
  });

  it("is made where a join provably stays on one side, and not elsewhere", async () => {
    const divided = await mixedArea();
    const full = new FullDb(divided.files);
    const whole = new Database(divided.undivided, { readonly: true });
    withRewriter(divided, (rewrite) => {
      for (const [expected, list] of [
        [true, proved],
        [false, left],
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
