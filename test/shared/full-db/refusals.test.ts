import { describe, expect, it } from "vitest";
import { FullDb } from "../../../producers/full-db/full-db.ts";
import type { JobsError } from "../../../shared/errors.ts";
import { fingerprint } from "../../support/area.ts";
import { divideArea, fullRows } from "../../support/queue.ts";

/** The error that a query ends with; undefined where it ends well. */
function refusal(
  work: () => unknown,
): { code: string; message: string; hint: string | undefined } | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    const { code, message, hint } = error as JobsError;
    return { code, message, hint };
  }
}

const writes = [
  "DELETE FROM runs",
  "insert into runs (id) values (99)",
  "UPDATE tests SET state = 'x'",
  "REPLACE INTO runs (id) VALUES (1)",
  "CREATE TABLE t (x)",
  "CREATE TEMP VIEW runs2 AS SELECT 1",
  "DROP TABLE runs",
  "/* a comment */ ALTER TABLE runs ADD COLUMN x",
  "WITH doomed AS (SELECT 1) DELETE FROM main.runs",
  "DELETE FROM main.runs RETURNING id",
];

const others = [
  "ATTACH '/etc/passwd' AS other",
  "DETACH completed",
  "PRAGMA query_only = OFF",
  "PRAGMA main.journal_mode = WAL",
  "BEGIN",
  "VACUUM",
  "VACUUM INTO '/tmp/stolen'",
  "SELECT 1; DELETE FROM runs",
  "SELECT load_extension('/tmp/evil.so')",
  "SELECT writefile('/tmp/evil', 'x')",
  "SELECT * FROM nothing",
  "SELEC 1",
  "",
  "-- nothing",
  "SELECT id FROM runs\0 WHERE id > 100",
];

describe("a statement on a full-db connection", () => {
  it("is refused with a hint to restore first where it would write", async () => {
    const { area, files } = await divideArea([1, 2]);
    const before = fingerprint(area.directory, area.cacheDirectory);
    for (const sql of writes) {
      const refused = refusal(() => fullRows(files, sql));
      expect([sql, refused?.code]).toEqual([sql, "read-only"]);
      expect(refused?.hint).toContain("restore");
    }
    expect(fingerprint(area.directory, area.cacheDirectory)).toEqual(before);
  });

  it("is refused where it is anything but one query that this connection can answer", async () => {
    const { files } = await divideArea([1, 2]);
    for (const sql of others)
      expect([sql, refusal(() => fullRows(files, sql))?.code]).toEqual([sql, "bad-query"]);
    expect(fullRows(files, "EXPLAIN QUERY PLAN SELECT * FROM runs").length).toBeGreaterThan(1);
    expect(fullRows(files, "VALUES (1), (2);").length).toBe(2);
  });

  it("is refused with a hint that helps there", async () => {
    const { files } = await divideArea([1, 2]);
    for (const [sql, fullDb, expected] of [
      ["DELETE FROM runs", false, "change records with Megatest itself"],
      ["WITH x AS (SELECT 1) DELETE FROM runs", false, "change records with Megatest itself"],
      ["SELECT Load_Extension('x.so')", true, "Load_Extension is refused"],
      ["SELECT writefile('x', 'y')", false, "print the rows (--csv, --json"],
      ["PRAGMA table_info('runs')", true, "pragma_table_info('runs')"],
      ["SELECT * FROM mtjobs_Runs", true, "no such table: mtjobs_Runs"],
      ["SELECT * FROM pragma_table_info('mtjobs_runs')", true, "no such table: mtjobs_runs"],
      ["SELECT * FROM pragma_table_list('runs')", true, "WHERE name ="],
      ["SELECT name FROM dbstat", true, "not available in full-db mode"],
    ] as const) {
      const refused = refusal(() => fullRows(files, sql, { fullDb }));
      expect([sql, `${refused?.message}; ${refused?.hint}`]).toEqual([
        sql,
        expect.stringContaining(expected),
      ]);
      expect(refused?.hint).not.toContain("restore");
    }
  });

  it("cannot write through the connection itself either, to any file", async () => {
    const { files } = await divideArea([1, 2]);
    const db = new FullDb(files);
    for (const sql of ["DELETE FROM main.runs", "DELETE FROM completed.runs", "CREATE TEMP TABLE t (x)"]) {
      expect(() => db.connection.exec(sql)).toThrow("readonly");
    }
    db.connection.pragma("query_only = OFF");
    for (const sql of ["DELETE FROM main.runs", "DELETE FROM completed.runs"]) {
      expect(() => db.connection.exec(sql)).toThrow("readonly");
    }
    db.close();
  });

  it("is refused where its parameters are not those given", async () => {
    const { files } = await divideArea([1, 2]);
    const sql =
      "SELECT r.id FROM runs r JOIN tests t ON t.run_id = r.id WHERE r.id = ? AND t.id > :low ORDER BY t.id LIMIT ?";
    expect(fullRows(files, sql, {}, 3, 2, { low: 0 })).toEqual([{ id: 3 }, { id: 3 }]);
    expect(fullRows(files, sql, {}, [1, 1], { low: 0 })).toEqual([{ id: 1 }]);
    for (const given of [
      [3, { low: 0 }],
      [3, 2],
      [3, 2, 1, { low: 0 }],
    ] as const) {
      expect(refusal(() => fullRows(files, sql, {}, ...given))?.code).toBe("bad-query");
    }
  });
});
