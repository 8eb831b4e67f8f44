import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { type Connection, openConnection } from "../../../shared/sqlite/connection.ts";
import { DatabaseSession } from "../../../workers/area-db/database-session.ts";
import { Plans } from "../../../workers/records/plans.ts";
import { temporaryDirectory } from "../../support/area.ts";
import { LockHolder } from "../../support/queue.ts";

const schema = `CREATE TABLE runs (id INTEGER PRIMARY KEY, runname TEXT);
  CREATE TABLE tests (id INTEGER PRIMARY KEY, run_id INTEGER, testname TEXT, item_path TEXT);
  CREATE TABLE test_steps (id INTEGER PRIMARY KEY, test_id INTEGER, stepname TEXT, state TEXT);
  CREATE TABLE test_data (id INTEGER PRIMARY KEY, test_id INTEGER, category TEXT, variable TEXT);
  CREATE TABLE mtjobs_fence (id INTEGER PRIMARY KEY, token INTEGER, holder TEXT, renewed_at INT, expires_at INT);
  INSERT INTO mtjobs_fence VALUES (1, 1, NULL, 0, 0)`;

function run(file: string, sql: string): void {
  const db = new Database(file);
  db.exec(sql);
  db.close();
}

const knows = (plans: Plans) =>
  plans.records
    .find(({ table }) => table === "tests")
    ?.columnsIn("area")
    .includes("site");

it("plans whose renewal fails stay out of date, until one succeeds", async () => {
  const directory = temporaryDirectory();
  const [area, completed] = [join(directory, "area.db"), join(directory, "completed.db")];
  for (const file of [area, completed]) run(file, schema);
  const db: Connection = openConnection({ area, completed }, { busyTimeoutMs: 25 });
  const reader = new LockHolder();
  try {
    const plans = new Plans({ db, sources: ["area"], keys: [] });
    run(area, "ALTER TABLE tests ADD COLUMN site TEXT");
    reader.hold(completed, "reading", 1_000);
    const session = (signal: AbortSignal) => new DatabaseSession({ db, signal, token: 1 });
    await expect(plans.renew(session(AbortSignal.timeout(200)))).rejects.toThrow();
    expect([plans.isCurrent("area"), knows(plans)]).toEqual([false, false]);
    expect(() => plans.assertCurrent("area")).toThrow("the schema of area has changed");
    expect(await plans.renew(session(new AbortController().signal))).toBe(true);
    expect([plans.isCurrent("area"), knows(plans)]).toEqual([true, true]);
    expect(await plans.renew(session(new AbortController().signal))).toBe(false);
  } finally {
    await reader.close();
    db.close();
  }
});

it("plans made while a column comes know no table otherwise than its text, and neither do those made later", () => {
  const directory = temporaryDirectory();
  const [area, twin, completed] = ["area.db", "twin.db", "completed.db"].map((name) => join(directory, name));
  if (area === undefined || twin === undefined || completed === undefined) throw new TypeError();
  // A text that no other test uses. In WAL mode a site can write while SQLite reads the schema.
  for (const file of [area, twin, completed]) {
    run(file, `${schema}; ALTER TABLE tests ADD COLUMN only_here TEXT; PRAGMA journal_mode = WAL`);
  }
  const plansOf = (file: string, whileRead = () => {}) => {
    const db: Connection = openConnection({ area: file, completed }, { busyTimeoutMs: 25 });
    try {
      let isRead = false;
      db.function("lower", { deterministic: true }, (text) => {
        if (!isRead) whileRead();
        isRead = true;
        return String(text).toLowerCase();
      });
      return new Plans({ db, sources: ["area"], keys: [] });
    } finally {
      db.close();
    }
  };
  run(completed, "ALTER TABLE tests ADD COLUMN site TEXT");
  const plans = plansOf(area, () => run(area, "ALTER TABLE tests ADD COLUMN site TEXT"));
  expect([knows(plans), knows(plansOf(twin))]).toEqual([true, false]);
});
