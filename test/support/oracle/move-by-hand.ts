import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { megatestSchema } from "../../../producers/demo/sample-area/schema.ts";
import { edit, everywhere } from "../area/edit-area.ts";
import { filesOf } from "../area/temp-area.ts";

/**
 * Moves a run in the simplest way, for the comparer's own tests: correct only if cache, ref and megatest.db agree
 * in everything that syncs. Not a model for the code under test.
 */
export function moveByHand(area: SampleArea, runId: number): void {
  const { completedDb } = filesOf(area);
  const fresh = !existsSync(completedDb);
  const db = new Database(completedDb);
  db.pragma("foreign_keys = OFF");
  db.pragma("synchronous = OFF");
  if (fresh) {
    db.exec(megatestSchema({ keys: area.keys }));
    db.exec(`CREATE TABLE mtjobs_runs (run_id INTEGER PRIMARY KEY, state TEXT);
      CREATE TABLE mtjobs_superseded (id INTEGER PRIMARY KEY, table_name TEXT, row_id INTEGER, source TEXT,
        reason TEXT, job_id TEXT, at INTEGER, columns TEXT, "row" TEXT)`);
  }
  db.prepare("ATTACH ? AS cache").run(area.cacheDb);
  db.prepare("ATTACH ? AS area").run(area.megatestDb);
  copyRun(db, runId);
  db.close();
  removeByHand(area, runId);
}

function copyRun(db: Database.Database, runId: number): void {
  const tests = "(SELECT id FROM cache.tests WHERE run_id = @run)";
  const own = {
    runs: "id = @run",
    tests: "run_id = @run",
    test_steps: `test_id IN ${tests}`,
    test_data: `test_id IN ${tests}`,
  };
  for (const [table, where] of Object.entries(own)) {
    db.prepare(`INSERT INTO ${table} SELECT * FROM cache.${table} WHERE ${where}`).run({ run: runId });
  }
  const content = {
    run_stats: "run_id, state, status, count",
    extradat: "run_id, key, val",
    test_rundat: "test_id, update_time, cpuload, diskfree, diskusage, run_duration",
    archives: "test_id, state, status, archive_type, du, archive_path",
  };
  for (const [table, columns] of Object.entries(content)) {
    const where = columns.startsWith("run_id") ? "run_id = @run" : `test_id IN ${tests}`;
    // rows only in megatest.db are identified by content
    db.prepare(
      `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM cache.${table} WHERE ${where}
       UNION SELECT ${columns} FROM area.${table} WHERE ${where}`,
    ).run({ run: runId });
  }
  for (const table of ["keys", "test_meta", "archive_blocks", "archive_disks"]) {
    db.exec(`INSERT OR IGNORE INTO ${table} SELECT * FROM cache.${table}`);
  }
  db.prepare("INSERT INTO mtjobs_runs VALUES (?, 'moved')").run(runId);
}

export function removeByHand(area: SampleArea, runId: number): void {
  edit(area, everywhere, (db) => {
    const tests = "(SELECT id FROM tests WHERE run_id = @run)";
    for (const table of ["test_steps", "test_data", "test_rundat", "archives"]) {
      db.prepare(`DELETE FROM ${table} WHERE test_id IN ${tests}`).run({ run: runId });
    }
    for (const table of ["run_stats", "extradat", "tests"]) {
      db.prepare(`DELETE FROM ${table} WHERE run_id = @run`).run({ run: runId });
    }
    db.prepare("DELETE FROM runs WHERE id = @run").run({ run: runId });
  });
}
