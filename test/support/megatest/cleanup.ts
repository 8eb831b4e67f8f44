import Database from "better-sqlite3";

/** What `megatest -cleanup-db` deletes, in its order: hidden rows, tests without a run, runs without tests, then what hangs on no test. */
const sweep = [
  "DELETE FROM tests WHERE run_id IN (SELECT id FROM runs WHERE state = 'deleted')",
  "DELETE FROM tests WHERE state = 'DELETED'",
  "DELETE FROM tests WHERE run_id NOT IN (SELECT id FROM runs)",
  "DELETE FROM runs WHERE state = 'deleted'",
  "DELETE FROM runs WHERE id NOT IN (SELECT run_id FROM tests WHERE run_id IS NOT NULL)",
  "DELETE FROM test_steps WHERE test_id NOT IN (SELECT id FROM tests)",
  "DELETE FROM test_rundat WHERE test_id NOT IN (SELECT id FROM tests)",
];

/**
 * Megatest's `-cleanup-db` on the databases given, one after the other: brings the schema up to date, numbers the keys anew from
 * 0, turns empty values of keys into `x`, deletes, vacuums.
 */
export function cleanUp(files: readonly string[]): void {
  for (const file of files) {
    withDatabase(file, (db) => {
      db.exec(`CREATE TRIGGER IF NOT EXISTS update_test_steps_trigger AFTER UPDATE ON test_steps FOR EACH ROW
        BEGIN UPDATE test_steps SET last_update = (strftime('%s', 'now')) WHERE id = old.id; END`);
      db.transaction(() => adjustTargets(db))();
      db.transaction(() => {
        for (const statement of sweep) db.exec(statement);
      })();
      db.exec("VACUUM");
    });
  }
}

function adjustTargets(db: Database.Database): void {
  const keys = db
    .prepare<[], { fieldname: string; fieldtype: string }>(
      "SELECT fieldname, fieldtype FROM keys ORDER BY id",
    )
    .all();
  db.exec("DELETE FROM keys");
  const add = db.prepare("INSERT INTO keys (id, fieldname, fieldtype) VALUES (?, ?, ?)");
  keys.forEach(({ fieldname, fieldtype }, index) => {
    add.run(index, fieldname, fieldtype);
    db.exec(`UPDATE runs SET "${fieldname}" = 'x' WHERE "${fieldname}" = ''`);
  });
}

/** Seconds for which Megatest keeps a hidden test. */
const keptHidden = 30 * 24 * 3600;

/**
 * Megatest's `-remove-runs` on the cache: hides the runs given with their tests, deletes their steps and data, and then, as every
 * `-remove-runs` does, all hidden tests that are older than 30 days, whosever they are.
 */
export function removeRuns(cacheDb: string, runIds: readonly number[]): void {
  withDatabase(cacheDb, (db) => {
    for (const run of runIds) {
      for (const table of ["test_steps", "test_data"])
        db.prepare(`DELETE FROM ${table} WHERE test_id IN (SELECT id FROM tests WHERE run_id = ?)`).run(run);
      db.prepare("UPDATE tests SET state = 'DELETED', status = 'n/a', comment = '' WHERE run_id = ?").run(
        run,
      );
      db.prepare("UPDATE runs SET state = 'deleted', comment = '' WHERE id = ?").run(run);
    }
    db.prepare("DELETE FROM tests WHERE state = 'DELETED' AND event_time < ?").run(
      Math.floor(Date.now() / 1000) - keptHidden,
    );
  });
}

/** What Megatest does to megatest.db after a sync failed. */
export function repair(megatestDb: string): void {
  withDatabase(megatestDb, (db) => db.exec("DELETE FROM tests WHERE state = 'DELETED'"));
}

function withDatabase(file: string, use: (db: Database.Database) => void): void {
  const db = new Database(file, { timeout: 136_000 });
  try {
    db.pragma("foreign_keys = OFF");
    db.pragma("synchronous = OFF");
    use(db);
  } finally {
    db.close();
  }
}
