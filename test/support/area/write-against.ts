import Database from "better-sqlite3";

/**
 * Writes to a closed cache after removing its triggers, which no correct process does. To mtjobs, a newly created
 * cache looks the same.
 */
export function writeAgainst(cacheDb: string): void {
  const db = new Database(cacheDb, { timeout: 10_000 });
  const names = db.prepare<[], string>(
    "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'mtjobs%'",
  );
  for (const name of names.pluck().all()) db.exec(`DROP TRIGGER "${name}"`);
  db.exec("DROP TABLE mtjobs_closed");
  db.exec(
    "INSERT INTO tests (run_id, testname, item_path, state, status) VALUES (1, 'unnoticed', '', 'COMPLETED', 'PASS')",
  );
  db.close();
}
