import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { canSyncDirectory, syncDirectory } from "../../../shared/files/sync-directory.ts";
import {
  type Connection,
  commitDurably,
  isConstraintError,
  openConnection,
  prepared,
} from "../../../shared/sqlite/connection.ts";
import { temporaryDirectory } from "../../support/area.ts";

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

describe("an attached file", () => {
  it("is committed to with its directory synced, so that no journal comes back by a power cut", () => {
    const file = join(temporaryDirectory(), "a.db");
    writeFileSync(file, "");
    const db = openConnection({ area: file });
    expect(db.pragma("area.synchronous", { simple: true })).toBe(3);
    db.close();
  });
});

describe.runIf(process.platform === "linux")("a file system that cannot sync a directory", () => {
  it("is told from one that can, and a database there is committed to without", () => {
    expect([canSyncDirectory("/proc"), canSyncDirectory(temporaryDirectory())]).toEqual([false, true]);
    const db = openConnection({});
    commitDurably(db, "main", "/proc/none.db");
    expect(db.pragma("main.synchronous", { simple: true })).toBe(2);
    db.close();
  });

  it("lets names be made there all the same", () => {
    expect(() => syncDirectory("/proc")).not.toThrow();
  });
});
