import Database from "better-sqlite3";

/**
 * What `megatest -cleanup-db` deletes, in its order: hidden rows, tests without a run, runs without tests, then
 * rows without a test.
 */
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
 * Emulates Megatest's `-cleanup-db` on the given databases, in turn: updates the schema, renumbers the keys from 0,
 * replaces empty key values with `x`, deletes, vacuums.
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

/** Emulates what Megatest does to megatest.db after a failed sync. */
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
