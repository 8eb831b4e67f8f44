import Database from "better-sqlite3";

/** What `megatest -cleanup-db` deletes, in its order: hidden rows, tests without a run, runs without tests. */
const sweep = [
  "DELETE FROM tests WHERE run_id IN (SELECT id FROM runs WHERE state = 'deleted')",
  "DELETE FROM tests WHERE state = 'DELETED'",
  "DELETE FROM tests WHERE run_id NOT IN (SELECT id FROM runs)",
  "DELETE FROM runs WHERE state = 'deleted'",
  "DELETE FROM runs WHERE id NOT IN (SELECT run_id FROM tests WHERE run_id IS NOT NULL)",
];

/** Megatest's `-cleanup-db` on the databases given, one after the other; each is vacuumed. */
export function cleanUp(files: readonly string[]): void {
  for (const file of files) {
    withDatabase(file, (db) => {
      db.transaction(() => {
        for (const statement of sweep) db.exec(statement);
      })();
      db.exec("VACUUM");
    });
  }
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
