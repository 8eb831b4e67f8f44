import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { missingColumns } from "../../../shared/sqlite/missing-columns.ts";
import { declaredColumns, defaultExpression, isComputed } from "../../../shared/sqlite/table.ts";

/** Defaults as a schema may have them, with their value. */
const constants = [
  ["'none yet'", "none yet"],
  ["'none (yet)'", "none (yet)"],
  ["'it''s (so)'", "it's (so)"],
  ['"none (yet)"', "none (yet)"],
  ["'current_release'", "current_release"],
  ["'CURRENT_DATE'", "CURRENT_DATE"],
  ["current_release", "current_release"],
  ["unknown", "unknown"],
  ["''", ""],
  ["17", 17],
  ["-1.5", -1.5],
  ["1e+3", 1000],
  ["TRUE", 1],
  ["('in parentheses')", "in parentheses"],
] as const;

const computed = [
  "(strftime('%s','now'))",
  "(lower('X'))",
  "(1 + 1)",
  "('a' || 'b')",
  "CURRENT_TIMESTAMP",
  "current_date",
  "Current_Time",
];

function open() {
  const db = new Database(":memory:");
  db.exec("ATTACH ':memory:' AS other");
  return db;
}

describe("the default of a column", () => {
  it.each(constants)("%s is a constant, and is kept when the column is added", (sql, value) => {
    const db = open();
    db.exec(`CREATE TABLE main.t (id INTEGER, c DEFAULT ${sql} NOT NULL); CREATE TABLE other.t (id INTEGER);
      INSERT INTO other.t VALUES (1)`);
    const [, column] = declaredColumns(db, "main", "t");
    if (column === undefined) throw new Error("no column");
    expect(isComputed(column.defaultSql)).toBe(false);
    expect(
      db
        .prepare(`SELECT ${defaultExpression(column)}`)
        .pluck()
        .get(),
    ).toBe(value);
    for (const add of missingColumns("t", { db, schema: "main" }, { db, schema: "other" })) db.exec(add);
    db.exec("INSERT INTO main.t (id) VALUES (1)");
    const read = "SELECT c FROM main.t UNION ALL SELECT c FROM other.t";
    expect(db.prepare(read).pluck().all()).toEqual([value, value]);
    expect(declaredColumns(db, "other", "t")[1]?.notNull).toBe(true);
    db.close();
  });

  it.each(computed)("%s is computed, and is left out when the column is added", (sql) => {
    const db = open();
    db.exec(`CREATE TABLE main.t (id INTEGER, c DEFAULT ${sql}); CREATE TABLE other.t (id INTEGER);
      INSERT INTO other.t VALUES (1)`);
    expect(isComputed(declaredColumns(db, "main", "t")[1]?.defaultSql ?? null)).toBe(true);
    for (const add of missingColumns("t", { db, schema: "main" }, { db, schema: "other" })) db.exec(add);
    expect(db.prepare("SELECT c FROM other.t").pluck().all()).toEqual([null]);
    db.close();
  });
});
