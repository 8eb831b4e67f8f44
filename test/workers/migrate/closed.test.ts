import Database from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import { openConnection } from "../../../shared/sqlite/connection.ts";
import { raiseFenceToken } from "../../../workers/area-db/fence.ts";
import { transact } from "../../../workers/area-db/transaction.ts";
import {
  closingMessage,
  isUntouched,
  readClosed,
  writeClosed,
} from "../../../workers/migrate/pair/closed.ts";
import { newArea } from "../../support/area.ts";
import { closePart, openPart } from "../../support/hosts.ts";

const mark = { token: 7, movedTo: "it's.host-b", closedAt: 1_700_000_000_000 };

/** A pair whose cache knows token 9, and a connection of Megatest's that was open before. */
function pairOf(cacheWal = false) {
  const area = newArea({ runs: 3, testsPerRun: 2, cacheWal });
  const client = new Database(area.cacheDb);
  client.pragma("foreign_keys = OFF");
  const db = openConnection({ cache: area.cacheDb, ref: area.refDb });
  onTestFinished(() => {
    client.close();
    db.close();
  });
  transact(db, () => raiseFenceToken(db, "cache", 9));
  return { area, client, db };
}

/** Every row of Megatest's. */
function rowsOf(db: Database.Database): unknown {
  const tables = db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'mtjobs%' ORDER BY name")
    .pluck()
    .all() as string[];
  return tables.map((table) => [table, db.prepare(`SELECT * FROM ${table}`).all()]);
}

const lostLease = expect.objectContaining({ code: "lost-lease" });

const message = closingMessage(mark.movedTo);

const writes = {
  INSERT: "INSERT INTO tests (run_id, testname) VALUES (1, 'new')",
  "INSERT OR REPLACE": "INSERT OR REPLACE INTO runs (id, runname) VALUES (1, 'other')",
  "INSERT OR IGNORE": "INSERT OR IGNORE INTO runs (id, runname) VALUES (99, 'other')",
  UPSERT: "INSERT INTO metadat (var, val) VALUES ('x', 'y') ON CONFLICT DO UPDATE SET val = 'z'",
  UPDATE: "UPDATE tests SET state = 'RUNNING' WHERE id = 1",
  "UPDATE OR IGNORE": "UPDATE OR IGNORE tests SET state = 'RUNNING'",
  DELETE: "DELETE FROM test_steps WHERE id = 1",
  "DELETE of everything": "DELETE FROM run_stats",
  "an insert from a select": "INSERT INTO test_data (test_id, variable) SELECT 1, 'v'",
};

describe.each([false, true])("a closed database (WAL: %s)", (wal) => {
  it("refuses every kind of write, also where its statement was prepared before, and says where the home is", () => {
    const { client, db } = pairOf(wal);
    const before = rowsOf(client);
    const statements = Object.values(writes).map((sql) => client.prepare(sql));
    closePart(db, "cache", mark, 9);
    for (const statement of statements) expect(() => statement.run(), statement.source).toThrow(message);
    for (const sql of Object.values(writes)) expect(() => client.exec(sql), sql).toThrow(message);
    expect(rowsOf(client)).toEqual(before);
    expect(readClosed(db, "cache")).toMatchObject(mark);
    expect(readClosed(db, "ref")).toBeUndefined();
  });

  it("takes writes again once it is opened, and nothing of the closing is left in it", () => {
    const { client, db } = pairOf(wal);
    const schema = () => client.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY rowid").all();
    const before = schema();
    closePart(db, "cache", mark, 9);
    openPart(db, "cache", 9);
    openPart(db, "cache", 9);
    expect(schema()).toEqual(before);
    for (const sql of Object.values(writes)) expect(() => client.exec(sql), sql).not.toThrow();
  });

  it("is known to be untouched until somebody removes a trigger to write", () => {
    const { client, db } = pairOf(wal);
    expect(isUntouched(db, "cache")).toBe(false);
    closePart(db, "cache", mark, 9);
    expect(isUntouched(db, "cache")).toBe(true);
    transact(db, () => raiseFenceToken(db, "cache", 10));
    expect(isUntouched(db, "cache")).toBe(true);
    client.exec("DROP TRIGGER mtjobs_closed_delete_runs");
    expect(isUntouched(db, "cache")).toBe(false);
  });
});

describe("closing a database", () => {
  it("waits for a client's transaction to end, whose rows are in it then", () => {
    const { client, db } = pairOf();
    client.exec("BEGIN IMMEDIATE; UPDATE tests SET comment = 'last' WHERE id = 1");
    expect(() => closePart(db, "cache", mark, 9)).toThrow(/locked/);
    client.exec("COMMIT");
    closePart(db, "cache", mark, 9);
    expect(client.prepare("SELECT comment FROM tests WHERE id = 1").pluck().get()).toBe("last");
  });

  it("changes nothing the second time, and once more where somebody had opened it", () => {
    const { client, db } = pairOf();
    closePart(db, "cache", mark, 9);
    const first = readClosed(db, "cache");
    closePart(db, "cache", { ...mark, closedAt: 5 }, 9);
    expect(readClosed(db, "cache")).toEqual(first);
    client.exec("DROP TRIGGER mtjobs_closed_update_tests");
    closePart(db, "cache", { ...mark, closedAt: 5 }, 9);
    expect(readClosed(db, "cache")?.closedAt).toBe(5);
    expect(() => client.exec(writes.UPDATE)).toThrow(message);
  });

  it("commits nothing for a holder that was overtaken, and neither does opening", () => {
    const { db } = pairOf();
    expect(() => closePart(db, "cache", mark, 8)).toThrow(lostLease);
    expect(readClosed(db, "cache")).toBeUndefined();
    closePart(db, "cache", mark, 9);
    expect(() => openPart(db, "cache", 8)).toThrow(lostLease);
    expect(readClosed(db, "cache")).toBeDefined();
  });

  it("takes over a database that an earlier migration closed", () => {
    const { client, db } = pairOf();
    closePart(db, "cache", mark, 9);
    closePart(db, "cache", { ...mark, token: 12, movedTo: "host-c" }, 9);
    expect(readClosed(db, "cache")).toMatchObject({ token: 12, movedTo: "host-c" });
    expect(() => client.exec(writes.INSERT)).toThrow(closingMessage("host-c"));
  });

  it("lets ourselves write while it stays closed and untouched", () => {
    const { client, db } = pairOf();
    closePart(db, "cache", mark, 9);
    transact(db, () =>
      writeClosed(db, "cache", () => void db.exec("UPDATE cache.tests SET comment = 'ours'")),
    );
    expect(isUntouched(db, "cache")).toBe(true);
    expect(client.prepare("SELECT DISTINCT comment FROM tests").pluck().all()).toEqual(["ours"]);
    expect(() => client.exec(writes.UPDATE)).toThrow(message);
  });
});
