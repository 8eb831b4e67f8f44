import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Connection,
  isConstraintError,
  openConnection,
  prepared,
} from "../../../shared/sqlite/connection.ts";

describe("a statement that is prepared once", () => {
  let db: Connection;
  let other: Connection;

  beforeEach(() => {
    db = openConnection({});
    other = openConnection({});
    for (const each of [db, other]) each.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT UNIQUE)");
  });

  afterEach(() => {
    db.close();
    other.close();
  });

  it("is the same object for the same text, and another one for another text", () => {
    expect(prepared(db, "SELECT a FROM t")).toBe(prepared(db, "SELECT a FROM t"));
    expect(prepared(db, "SELECT a FROM t")).not.toBe(prepared(db, "SELECT a  FROM t"));
  });

  it("belongs to its connection: the same text reads another connection's rows there", () => {
    db.exec("INSERT INTO t (a) VALUES ('here')");
    expect(prepared(db, "SELECT a FROM t").all()).toEqual([{ a: "here" }]);
    expect(prepared(other, "SELECT a FROM t").all()).toEqual([]);
  });

  it("goes on working when its table was dropped and made anew with other columns", () => {
    prepared(db, "SELECT * FROM t").all();
    db.exec(
      "DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, b TEXT); INSERT INTO t (b) VALUES ('new')",
    );
    expect(prepared(db, "SELECT * FROM t").all()).toEqual([{ id: 1, b: "new" }]);
  });

  it("tells a refused row from any other failure", () => {
    const failure = (sql: string) => {
      try {
        db.exec(sql);
      } catch (error) {
        return isConstraintError(error);
      }
      return undefined;
    };
    expect(failure("INSERT INTO t (a) VALUES ('x'), ('x')")).toBe(true);
    expect(failure("INSERT INTO nowhere VALUES (1)")).toBe(false);
  });
});
