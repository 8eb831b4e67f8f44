import type Database from "better-sqlite3";
import { openSqlite } from "../../../shared/sqlite/library.ts";
import type { Plan, SampleArea } from "./plan.ts";
import { dropLastUpdateTriggers, lastUpdateTriggers } from "./schema.ts";

// How an area's databases normally differ: update times, tables that never sync, and cache rows not synced yet.

/** Adds what only a cache has: real update times, authors of tests. */
export function settleCache(db: Database.Database, plan: Plan): void {
  db.transaction(() => {
    db.exec("UPDATE test_meta SET author = 'author of ' || testname");
    if (plan.old) return;
    db.exec(dropLastUpdateTriggers());
    for (const table of ["runs", "tests", "test_steps"]) {
      db.exec(`UPDATE ${table} SET last_update = event_time + 20`);
    }
    db.exec(`UPDATE test_data SET last_update = last_update - 1000`);
    db.exec(lastUpdateTriggers());
  })();
}

/**
 * Gives megatest.db the rows of the older half of the runs: mostly the cache's under other ids, and some that the
 * cache lacks.
 */
export function fillUnsyncedTables(db: Database.Database, plan: Plan, place: "cache" | "megatest.db"): void {
  const cache = place === "cache";
  const scope = { runs: cache ? plan.runs : Math.floor(plan.runs / 2), at: plan.syncedAt };
  // newest first, so that ids in megatest.db differ from the cache's
  const order = `ORDER BY r.id ${cache ? "ASC" : "DESC"}`;
  const [updated, updatedAt] = plan.old ? ["", ""] : [", last_update", ", :at - r.id"];
  const twoTests = `(SELECT run_id AS id, min(id) AS test_id FROM tests GROUP BY run_id UNION ALL
    SELECT run_id, max(id) FROM tests GROUP BY run_id HAVING count(*) > 1) AS r`;
  const fill = (sql: string) => db.prepare(sql).run(scope);
  db.transaction(() => {
    insertArchivePlaces(db, plan, cache);
    fill(`INSERT INTO run_stats (run_id, state, status, count${updated})
      SELECT r.id, s.state, s.status, iif(s.state = 'COMPLETED', pass_count, fail_count)${updatedAt}
      FROM runs AS r, (SELECT 'COMPLETED' AS state, 'PASS' AS status UNION ALL SELECT 'COMPLETED', 'FAIL') AS s
      WHERE r.id <= :runs ${order}`);
    fill(`INSERT INTO extradat (run_id, key, val)
      SELECT r.id, 'note', iif(r.id % 7 = 0, NULL, 'lot ' || (r.id * 3)) FROM runs AS r WHERE r.id <= :runs ${order}`);
    fill(`INSERT INTO test_rundat (test_id, update_time, cpuload, diskfree, diskusage, run_duration)
      SELECT r.test_id, :at - r.id, r.test_id % 9, 5000, iif(r.id % 5 = 0, NULL, 12), 60
      FROM ${twoTests} WHERE r.id <= :runs ${order}`);
    fill(`INSERT INTO archives (test_id, du, archive_path)
      SELECT r.test_id, r.test_id * 10, '/archive/' || r.test_id FROM ${twoTests} WHERE r.id <= :runs ${order}`);
    if (cache) return;
    // an earlier count, and a note written while there was no cache
    fill(`INSERT INTO run_stats (run_id, state, status, count${updated})
      SELECT r.id, 'RUNNING', 'n/a', 3${updatedAt} FROM runs AS r WHERE r.id <= :runs AND r.id % 10 = 1`);
    fill(`INSERT INTO extradat (run_id, key, val)
      SELECT r.id, 'remark', 'by hand' FROM runs AS r WHERE r.id <= :runs AND r.id % 10 = 2`);
  })();
}

/** Inserts three blocks on two disks, named by `tests.archived`, and rows of one database only. */
function insertArchivePlaces(db: Database.Database, plan: Plan, cache: boolean): void {
  const disk = db.prepare(
    "INSERT INTO archive_disks (archive_area_name, disk_path, last_df, last_df_time) VALUES (?, ?, ?, ?)",
  );
  for (const name of ["a", "b"]) disk.run(`vault-${name}`, `/vault/${name}`, 1e12, plan.syncedAt);
  const block = db.prepare(
    "INSERT INTO archive_blocks (archive_disk_id, disk_path, last_du, last_du_time) VALUES (?, ?, ?, ?)",
  );
  const allocation = db.prepare(
    "INSERT INTO archive_allocations (archive_block_id, testname, item_path) VALUES (?, ?, '')",
  );
  for (const id of [1, 2, 3]) {
    block.run(1 + (id % 2), `${plan.areaName}/block-${id}`, 1000 * id, plan.syncedAt);
    if (cache) allocation.run(id, `check_${id}`);
  }
  if (!cache) return;
  db.prepare(
    "INSERT INTO tasks_queue (action, owner, target, name, creation_time) VALUES ('run', ?, '%', 'nightly', ?)",
  ).run(plan.user, plan.syncedAt);
  db.prepare("INSERT INTO access_log (user, accessed, args) VALUES (?, ?, '-run')").run(
    plan.user,
    plan.syncedAt,
  );
}

/**
 * Changes since the last sync: the newest run, late steps and data of three runs, waived tests, and progress of tests
 * in flight.
 */
export function addUnsyncedRows(plan: Plan, area: SampleArea): void {
  if (plan.runs === 0) return;
  const late = [0.25, 0.5, 0.75].map((share) => Math.ceil(plan.runs * share)).filter((id) => id < plan.runs);
  for (const file of [area.refDb, area.megatestDb]) {
    change(file, (db) => {
      for (const run of late) removeLastRows(db, run);
      removeRun(db, plan.runs);
    });
  }
  change(area.cacheDb, (db) => {
    const judge = db.prepare(
      `UPDATE tests SET status = 'WAIVED', comment = 'waived after review'
       WHERE id = (SELECT min(id) FROM tests WHERE run_id = ? AND uname <> 'n/a')`,
    );
    for (const run of late) judge.run(run);
    const goOn = db.prepare(
      "UPDATE tests SET run_duration = run_duration + 30 WHERE run_id = ? AND state = 'RUNNING'",
    );
    for (const run of area.inFlight) goOn.run(run);
    if (!plan.old) stampChanges(db, plan, [...late, ...area.inFlight]);
  });
}

/** Replaces times that the triggers took from the real clock. */
function stampChanges(db: Database.Database, plan: Plan, runs: readonly number[]): void {
  db.exec(dropLastUpdateTriggers());
  const stamp = db.prepare(
    "UPDATE tests SET last_update = :now WHERE run_id = :run AND (status = 'WAIVED' OR state = 'RUNNING')",
  );
  for (const run of runs) stamp.run({ run, now: plan.now - 5 });
  db.exec(lastUpdateTriggers());
}

function removeLastRows(db: Database.Database, run: number): void {
  const last = "(SELECT max(id) FROM tests WHERE run_id = ?)";
  for (const table of ["test_steps", "test_data"]) {
    // two rows per table, by id: both tables have an index that begins with test_id
    db.prepare(
      `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} WHERE test_id = ${last} ORDER BY id DESC LIMIT 2)`,
    ).run(run);
  }
}

function removeRun(db: Database.Database, run: number): void {
  for (const table of ["test_steps", "test_data"]) {
    db.prepare(`DELETE FROM ${table} WHERE test_id IN (SELECT id FROM tests WHERE run_id = ?)`).run(run);
  }
  db.prepare("DELETE FROM tests WHERE run_id = ?").run(run);
  db.prepare("DELETE FROM runs WHERE id = ?").run(run);
}

function change(file: string, write: (db: Database.Database) => void): void {
  const db = openSqlite(file);
  try {
    db.pragma("foreign_keys = OFF");
    db.pragma("synchronous = OFF");
    db.transaction(write)(db);
  } finally {
    db.close();
  }
}
