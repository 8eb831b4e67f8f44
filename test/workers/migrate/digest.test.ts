import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openConnection } from "../../../shared/sqlite/connection.ts";
import { raiseFenceToken } from "../../../workers/area-db/fence.ts";
import { transact } from "../../../workers/area-db/transaction.ts";
import { digestOf, integrityOf, sameDigest } from "../../../workers/migrate/pair/digest.ts";
import { digestInThread } from "../../../workers/migrate/pair/digest-in-thread.ts";
import { gapAbove, writeGap } from "../../../workers/migrate/pair/id-gap.ts";
import { newArea, temporaryDirectory } from "../../support/area.ts";
import { closePart } from "../../support/hosts.ts";
import { openToWrite } from "../../support/queue.ts";

const never = new AbortController().signal;

/** A database with one row for each pair of values, and its digest. */
function digestOfRows(...rows: [unknown, unknown][]): string {
  const file = join(temporaryDirectory(), "rows.db");
  openToWrite(file, (db) => {
    db.exec("CREATE TABLE odd (a, b)");
    for (const row of rows) db.prepare("INSERT INTO odd VALUES (?, ?)").run(...row);
  });
  return digestOf(file, never).sha256;
}

describe("the digest of a database", () => {
  it("tells apart rows that look alike: types, NULs, bytes that are no text, and where a value ends", () => {
    const texts = [
      [1, 2],
      ["1", 2],
      [Buffer.from("1"), 2],
      [1n, 2.5],
      [null, "NULL"],
      ["NULL", null],
      ["a\0b", ""],
      ["a\0c", ""],
      ["a,t1:b", ""],
      ["a", "b"],
      ["ab", ""],
      ["", "ab"],
      [Buffer.from([0xff]), Buffer.from([0xfe])],
      [0.1 + 0.2, 0],
      [0.3, 0],
      ["ä", ""],
    ] satisfies [unknown, unknown][];
    const digests = texts.map((row) => digestOfRows(row));
    expect(new Set(digests).size).toBe(texts.length);
    expect(digestOfRows([1, 2], [3, 4])).not.toBe(digestOfRows([3, 4], [1, 2]));
    expect(digestOfRows([1, 2], [3, 4])).toBe(digestOfRows([1, 2], [3, 4]));
  });

  it("counts every table, also those that never sync, and changes with any row of them", () => {
    const area = newArea({ runs: 30 });
    const before = digestOf(area.cacheDb, never);
    expect(before.rows).toMatchObject({ runs: 30, tests: 300 });
    for (const table of ["run_stats", "extradat", "test_rundat", "archives", "metadat", "test_steps"]) {
      expect(before.rows[table], table).toBeGreaterThan(0);
      openToWrite(area.cacheDb, (db) =>
        db.exec(`DELETE FROM ${table} WHERE rowid = (SELECT max(rowid) FROM ${table})`),
      );
      const after = digestOf(area.cacheDb, never);
      expect(after.rows[table]).toBe((before.rows[table] ?? 0) - 1);
      expect(sameDigest(before, after)).toBe(false);
      before.rows = after.rows;
    }
  });

  it("is the same after a vacuum, a change of journal, a new token, the closing and a gap", () => {
    const area = newArea({ runs: 5 });
    const before = digestOf(area.cacheDb, never);
    openToWrite(area.cacheDb, (db) => db.exec("VACUUM; PRAGMA journal_mode = WAL"));
    const db = openConnection({ cache: area.cacheDb });
    transact(db, () => {
      raiseFenceToken(db, "cache", 5);
      writeGap(db, gapAbove(db, ["cache"]), ["cache"]);
    });
    closePart(db, "cache", { token: 5, movedTo: "b", closedAt: 5 }, 5);
    db.close();
    expect(sameDigest(before, digestOf(area.cacheDb, never))).toBe(true);
  });

  it("covers a table without rowids and one whose columns take the rowid's names", () => {
    const file = join(temporaryDirectory(), "rows.db");
    openToWrite(file, (db) =>
      db.exec(`CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO keyed VALUES ('b', 1), ('a', 2);
        CREATE TABLE shy (rowid TEXT, oid TEXT); INSERT INTO shy VALUES ('x', 'y')`),
    );
    const before = digestOf(file, never);
    expect(before.rows).toEqual({ keyed: 2, shy: 1 });
    openToWrite(file, (db) => db.exec("UPDATE keyed SET v = 3 WHERE k = 'a'"));
    expect(sameDigest(before, digestOf(file, never))).toBe(false);
  });

  it("ends with the signal's reason", () => {
    const area = newArea({ runs: 2 });
    const reason = new Error("enough");
    expect(() => digestOf(area.cacheDb, AbortSignal.abort(reason))).toThrow(reason);
  });
});

describe("checking a pair in threads", () => {
  it("gives the digests of both databases", async () => {
    const area = newArea({ runs: 5 });
    const found = await digestInThread({ cache: area.cacheDb, ref: area.refDb }, never);
    expect(found).toEqual({ cache: digestOf(area.cacheDb, never), ref: digestOf(area.refDb, never) });
  });

  it("finds a damaged page, says which file, and ends on a signal", async () => {
    const area = newArea({ runs: 30 });
    const fd = openSync(area.refDb, "r+");
    writeSync(fd, Buffer.alloc(4096, 0x5a), 0, 4096, 4096 * 3);
    closeSync(fd);
    expect(integrityOf(area.refDb)).not.toEqual([]);
    await expect(digestInThread({ cache: area.cacheDb, ref: area.refDb }, never)).rejects.toMatchObject({
      code: "corrupt",
      message: expect.stringContaining(area.refDb),
    });
    const reason = new Error("enough");
    await expect(digestInThread({ cache: area.cacheDb }, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
