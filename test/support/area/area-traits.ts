import type Database from "better-sqlite3";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { edit, everywhere, type Place } from "./edit-area.ts";

/**
 * Traits of real areas, one per function. Each adds itself to an area that `buildArea` made and keeps the files'
 * times as they were: no refill is due, and megatest.db was not modified just now.
 */

/** Returns the first test of a run that is not a toplevel one. */
export function firstTestOf(area: SampleArea, runId: number): number {
  let id = 0;
  edit(area, ["cache"], (db) => {
    id = Number(
      db.prepare("SELECT min(id) FROM tests WHERE run_id = ? AND uname <> 'n/a'").pluck().get(runId),
    );
  });
  return id;
}

/** Locks a run, as its owner does. */
export function lockRun(area: SampleArea, runId: number): void {
  setRunState(area, runId, "locked");
}

/** Hides a run. */
export function deleteRun(area: SampleArea, runId: number): void {
  setRunState(area, runId, "deleted");
}

/** Makes the run's first test RUNNING with its last activity `silentFor` seconds ago. */
export function addRunningTest(area: SampleArea, runId: number, silentFor: number): number {
  return setTest(area, runId, {
    state: "RUNNING",
    status: "n/a",
    event_time: area.now - silentFor - 60,
    run_duration: 60,
  });
}

/** Makes the run's first test one that will never start: NOT_STARTED with PREQ_FAIL. */
export function addPrereqFailedTest(area: SampleArea, runId: number): number {
  return setTest(area, runId, { state: "NOT_STARTED", status: "PREQ_FAIL", run_duration: 0 });
}

/** Changes a test in the cache only, as before a sync. */
export function changeInCacheOnly(area: SampleArea, runId: number, comment = "changed in the cache"): number {
  return comments(area, ["cache"], runId, comment);
}

/** Changes a test in megatest.db only, after the last sync: its `last_update` is later than the ref's. */
export function changeInMegatestDbOnly(
  area: SampleArea,
  runId: number,
  comment = "changed in megatest.db",
): number {
  return comments(area, ["area"], runId, comment);
}

/** Simulates a sync killed between the ref and megatest.db: megatest.db keeps the old version forever. */
export function leaveMegatestDbBehind(
  area: SampleArea,
  runId: number,
  comment = "never reached megatest.db",
): number {
  return comments(area, ["cache", "ref"], runId, comment);
}

/** Adds a test with two steps and a measurement in the given places only. Returns its id. */
export function addTestIn(
  area: SampleArea,
  places: readonly Place[],
  runId: number,
  testname: string,
): number {
  const id = freeId(area, "tests");
  const stepId = freeId(area, "test_steps");
  const dataId = freeId(area, "test_data");
  edit(area, places, (db) => {
    db.prepare(
      "INSERT INTO tests (id, run_id, testname, state, status, event_time) VALUES (?, ?, ?, 'COMPLETED', 'PASS', ?)",
    ).run(id, runId, testname, area.now - 86_400 * 60);
    const step = db.prepare(
      "INSERT INTO test_steps (id, test_id, stepname, state, status, event_time) VALUES (?, ?, 'extra', ?, '0', ?)",
    );
    step.run(stepId, id, "start", area.now - 86_400 * 60);
    step.run(stepId + 1, id, "end", area.now - 86_400 * 60);
    db.prepare(
      "INSERT INTO test_data (id, test_id, category, variable, value) VALUES (?, ?, 'extra', 'load', 0.1)",
    ).run(dataId, id);
  });
  return id;
}

/** Adds a finished run with one test in the given places only. Returns its id. */
export function addRunIn(area: SampleArea, places: readonly Place[], runname: string): number {
  const id = freeId(area, "runs");
  edit(area, places, (db) => {
    const keys = area.keys.map((key) => `"${key}"`);
    db.prepare(
      `INSERT INTO runs (id, ${[...keys, "runname"].join(", ")}, state, status, owner, event_time)
       VALUES (?, ${keys.map(() => "'none'").join(", ")}${keys.length > 0 ? ", " : ""}?, 'COMPLETED', 'PASS', ?, ?)`,
    ).run(id, runname, area.user, area.now - 86_400 * 60);
  });
  addTestIn(area, places, id, "only_test");
  return id;
}

/** Adds a test without a run and a step without a test, in the cache. */
export function addOrphans(area: SampleArea): void {
  edit(area, ["cache"], (db) => {
    db.exec(`INSERT INTO tests (run_id, testname, state, status) VALUES (987654, 'late_for_nobody', 'COMPLETED', 'PASS');
      INSERT INTO test_steps (test_id, stepname, state, status) VALUES (9876543, 'late', 'end', '0')`);
  });
}

/** Adds rows to megatest.db in tables that never sync, under ids that other rows have in the cache. */
export function addClashingLooseRows(area: SampleArea, runId: number): void {
  const testId = firstTestOf(area, runId);
  edit(area, ["area"], (db) => {
    for (const id of [1, 2]) {
      for (const table of ["run_stats", "extradat", "test_rundat", "archives"]) {
        // move existing rows to the end, to ids that the cache does not have
        db.exec(`UPDATE ${table} SET id = (SELECT max(id) + 1 FROM ${table}) WHERE id = ${id}`);
      }
      db.prepare(
        "INSERT INTO run_stats (id, run_id, state, status, count) VALUES (?, ?, 'ONLY', 'HERE', ?)",
      ).run(id, runId, id);
      db.prepare("INSERT INTO extradat (id, run_id, key, val) VALUES (?, ?, 'only here', ?)").run(
        id,
        runId,
        String(id),
      );
      db.prepare("INSERT INTO test_rundat (id, test_id, update_time, diskusage) VALUES (?, ?, 7, ?)").run(
        id,
        testId,
        id,
      );
      db.prepare("INSERT INTO archives (id, test_id, archive_path) VALUES (?, ?, ?)").run(
        id,
        testId,
        `/only/here/${id}`,
      );
    }
  });
}

/** Reports a step again after the last sync: the cache has it under a new id, the others under the old one. */
export function reportStepAgain(
  area: SampleArea,
  runId: number,
): { testId: number; oldId: number; newId: number } {
  const testId = firstTestOf(area, runId);
  let [oldId, newId] = [0, 0];
  edit(area, ["cache"], (db) => {
    const step = db
      .prepare("SELECT id, stepname, state FROM test_steps WHERE test_id = ? ORDER BY id")
      .get(testId) as {
      id: number;
      stepname: string;
      state: string;
    };
    oldId = step.id;
    const again = db.prepare(
      "INSERT OR REPLACE INTO test_steps (test_id, stepname, state, status, event_time, comment) VALUES (?, ?, ?, '9', ?, 'again')",
    );
    newId = Number(again.run(testId, step.stepname, step.state, area.now - 30).lastInsertRowid);
  });
  return { testId, oldId, newId };
}

/** Gives an archive block's id another path in the given places. */
export function reuseBlockId(area: SampleArea, places: readonly Place[], blockId: number): void {
  edit(area, places, (db) => {
    db.prepare(
      "UPDATE archive_blocks SET disk_path = disk_path || '-another', archive_disk_id = 1 WHERE id = ?",
    ).run(blockId);
  });
}

/** Adds a column to all databases, as a later Megatest might; the definition is SQL. */
export function addColumn(area: SampleArea, table: string, definition: string): void {
  edit(area, everywhere, (db) => db.exec(`ALTER TABLE ${table} ADD COLUMN ${definition}`));
}

function setRunState(area: SampleArea, runId: number, state: string): void {
  edit(area, everywhere, (db) => db.prepare("UPDATE runs SET state = ? WHERE id = ?").run(state, runId));
}

function setTest(area: SampleArea, runId: number, values: Record<string, string | number>): number {
  const id = firstTestOf(area, runId);
  const changes = Object.keys(values).map((name) => `${name} = @${name}`);
  edit(area, everywhere, (db) =>
    db.prepare(`UPDATE tests SET ${changes.join(", ")} WHERE id = @id`).run({ ...values, id }),
  );
  return id;
}

function comments(area: SampleArea, places: readonly Place[], runId: number, comment: string): number {
  const id = firstTestOf(area, runId);
  edit(area, places, (db) => db.prepare("UPDATE tests SET comment = ? WHERE id = ?").run(comment, id));
  return id;
}

/** Returns an id that no database of the area has used in the table. */
function freeId(area: SampleArea, table: string): number {
  let highest = 0;
  edit(area, everywhere, (db: Database.Database) => {
    highest = Math.max(
      highest,
      Number(db.prepare(`SELECT coalesce(max(id), 0) FROM ${table}`).pluck().get()),
    );
  });
  return highest + 1;
}
