import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { migrationStates, nextStates } from "../../../shared/contract/migration-row.ts";
import { openConnection } from "../../../shared/sqlite/connection.ts";
import {
  advance,
  beginMigration,
  lastMigration,
  migrationOf,
  openMigration,
  updateMigration,
} from "../../../workers/migrate/state/migration-table.ts";
import { temporaryDirectory } from "../../support/area.ts";

function open() {
  const file = `${temporaryDirectory()}/megatest.db`;
  new Database(file).exec("CREATE TABLE runs (id INTEGER PRIMARY KEY)").close();
  return openConnection({ area: file });
}

const row = {
  job_id: "migrate-1",
  requested_by: "ann@host-a",
  kind: "migration",
  from_home: "10.0.0.1",
  to_home: "10.0.0.2",
  from_host: "host-a",
  to_host: "host-b",
  source: "cache",
} as const;

describe("the table of migrations", () => {
  it("knows of none in a database that has no such table", () => {
    const db = open();
    expect([openMigration(db), lastMigration(db), migrationOf(db, "migrate-1")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("takes a migration from its beginning to its end, and calls it open until then", () => {
    const db = open();
    beginMigration(db, row, 7);
    expect(openMigration(db)).toMatchObject({ ...row, token: 7, state: "closing", digests: null });
    const digest = { sha256: "ab", rows: { runs: 2 }, bytes: 9 };
    advance(db, 7, "closed", { digests: { cache: digest } });
    expect(openMigration(db)?.digests).toEqual({ cache: digest });
    advance(db, 7, "installed");
    advance(db, 7, "intent", { switch_token: 8 });
    advance(db, 7, "switched");
    updateMigration(db, 7, "switched", { new_ready: 1 });
    expect(openMigration(db)).toMatchObject({ state: "switched", switch_token: 8, new_ready: 1 });
    advance(db, 7, "settled");
    expect(openMigration(db)).toBeUndefined();
    expect(lastMigration(db)).toMatchObject({ token: 7, state: "settled" });
    expect(migrationOf(db, "migrate-1")?.token).toBe(7);
  });

  it.each(migrationStates)("goes from %s only where the states allow it", (from) => {
    const db = open();
    beginMigration(db, row, 3);
    for (const to of migrationStates) {
      db.prepare("UPDATE area.mtjobs_migrations SET state = ?").run(from);
      const go = () => advance(db, 3, to);
      if (nextStates[from].includes(to)) go();
      else expect(go).toThrow(expect.objectContaining({ code: "lost-lease" }));
      expect(lastMigration(db)?.state).toBe(nextStates[from].includes(to) ? to : from);
    }
  });

  it("is reported as corrupt if mtjobs did not write a row", () => {
    const db = open();
    beginMigration(db, row, 3);
    db.exec("UPDATE area.mtjobs_migrations SET state = 'perhaps'");
    expect(() => openMigration(db)).toThrow(expect.objectContaining({ code: "corrupt" }));
  });
});
