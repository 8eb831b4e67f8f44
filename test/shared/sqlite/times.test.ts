import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isOddTime, mayExceed, seconds } from "../../../shared/sqlite/times.ts";

const values = [
  ...["NULL", "''", "0", "-5", "17", "1790000000", "99999999999", "100000000000", "9223372036854775807"],
  ...["-5.5", "1790000000.5", "99999999999.5", "1e300", "-1e300", "'17'", "'1790000000'", "'1790000000.25'"],
  ...["'18000000000'", "'100000000000'", "'2026-12-01'", "'abc'", "'-3'", "' 17'", "x'31'", "x''"],
];
const types = ["INTEGER", "TEXT", "TIMESTAMP", "REAL", "BLOB", ""];
const bounds = [-2_000_000_000, -6, 0, 16, 1_789_999_999, 1_790_000_000, 99_999_999_999];

describe("times of rows", () => {
  const db = new Database(":memory:");
  beforeAll(() => {
    for (const type of types) {
      db.exec(`CREATE TABLE "t ${type}" (v ${type})`);
      for (const value of values) db.exec(`INSERT INTO "t ${type}" VALUES (${value})`);
    }
  });
  afterAll(() => void db.close());

  it.each(types)(
    "of a column of type %j: one comparison leaves out no time above a bound, and spares most below it",
    (type) => {
      for (const bound of bounds) {
        const missed = `SELECT quote(v) FROM "t ${type}" WHERE ${seconds("v")} > max(0, ${bound}) AND NOT ${mayExceed("v", ":bound")}`;
        expect(db.prepare(missed).pluck().all({ bound })).toEqual([]);
      }
      const spared = `SELECT count(*) FROM "t ${type}" WHERE NOT ${mayExceed("v", ":bound")}`;
      const numbers = `SELECT count(*) FROM "t ${type}" WHERE typeof(v) IN ('integer', 'real') AND v <= :bound`;
      for (const bound of bounds)
        expect(db.prepare(spared).pluck().get({ bound })).toBe(db.prepare(numbers).pluck().get({ bound }));
    },
  );

  it("is odd if it is not in seconds", () => {
    const odd = `SELECT quote(v) FROM "t BLOB" WHERE ${isOddTime("v")}`;
    expect(db.prepare(odd).pluck().all()).toEqual([
      ...["100000000000", "9223372036854775807", "1.0e+300"],
      ...["'100000000000'", "'2026-12-01'", "'abc'", "'-3'", "' 17'", "X'31'", "X''"],
    ]);
    expect(db.prepare(`SELECT v FROM "t TEXT" WHERE v = '17' AND NOT ${isOddTime("v")}`).all()).toHaveLength(
      2,
    );
  });
});
