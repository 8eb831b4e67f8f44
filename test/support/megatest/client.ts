import Database from "better-sqlite3";

/** Emulates a Megatest client's writes to the cache, which it opens as Megatest does. */
export interface Client {
  /** Registers a run unless it exists. Returns its id. */
  registerRun(target: Readonly<Record<string, string>>, runname: string): number;
  /** Registers a test unless it exists; the run need not exist. Returns the test's id. */
  registerTest(runId: number, testname: string, itemPath?: string): number;
  /** Updates a test; false if it does not exist. */
  setState(testId: number, state: string, status: string, comment?: string): boolean;
  /** Raises a running test's duration, its sign of activity; false if it does not exist. */
  raiseDuration(testId: number, seconds: number): boolean;
  /** Reports a step, under a new id if it was reported before; the test need not exist. Returns the step's id. */
  reportStep(testId: number, stepname: string, state: string, status: string, comment?: string): number;
  /** Records a measurement, under a new id if it existed; the test need not exist. Returns its id. */
  reportData(testId: number, category: string, variable: string, value: number): number;
  setRunState(runId: number, state: string): boolean;
  close(): void;
}

/** @param busyTimeoutMs Megatest waits 136 s for a lock and exits on an SQLite error. */
export function openClient(cacheDb: string, busyTimeoutMs = 136_000): Client {
  const db = new Database(cacheDb, { timeout: busyTimeoutMs, fileMustExist: true });
  db.pragma("foreign_keys = OFF");
  db.pragma("synchronous = OFF");
  const insert = (sql: string, ...values: unknown[]) =>
    Number(db.prepare(sql).run(...values).lastInsertRowid);
  const update = (sql: string, ...values: unknown[]) => db.prepare(sql).run(...values).changes > 0;
  const idOf = (sql: string, ...values: unknown[]) =>
    Number(
      db
        .prepare(sql)
        .pluck()
        .get(...values),
    );
  return {
    registerRun: (target, runname) => {
      const keys = Object.keys(target).map((key) => `"${key}"`);
      const values = [...Object.values(target), runname];
      insert(
        `INSERT OR IGNORE INTO runs (${[...keys, "runname"].join(", ")}, state, status, owner, event_time)
         VALUES (${values.map(() => "?").join(", ")}, 'new', 'n/a', 'megatest', strftime('%s','now'))`,
        ...values,
      );
      return idOf(
        `SELECT id FROM runs WHERE ${[...keys, "runname"].map((key) => `${key} = ?`).join(" AND ")}`,
        ...values,
      );
    },
    registerTest: (runId, testname, itemPath = "") => {
      insert(
        `INSERT OR IGNORE INTO tests (run_id, testname, item_path, state, status, event_time)
         VALUES (?, ?, ?, 'NOT_STARTED', 'n/a', strftime('%s','now'))`,
        runId,
        testname,
        itemPath,
      );
      return idOf(
        "SELECT id FROM tests WHERE run_id = ? AND testname = ? AND item_path = ?",
        runId,
        testname,
        itemPath,
      );
    },
    setState: (testId, state, status, comment = "") =>
      update(
        "UPDATE tests SET state = ?, status = ?, comment = ? WHERE id = ?",
        state,
        status,
        comment,
        testId,
      ),
    raiseDuration: (testId, seconds) =>
      update("UPDATE tests SET run_duration = run_duration + ? WHERE id = ?", seconds, testId),
    reportStep: (testId, stepname, state, status, comment = "") =>
      insert(
        `INSERT OR REPLACE INTO test_steps (test_id, stepname, state, status, event_time, comment, logfile)
         VALUES (?, ?, ?, ?, strftime('%s','now'), ?, '')`,
        testId,
        stepname,
        state,
        status,
        comment,
      ),
    reportData: (testId, category, variable, value) =>
      insert(
        `INSERT OR REPLACE INTO test_data (test_id, category, variable, value, comment, status)
         VALUES (?, ?, ?, ?, '', 'pass')`,
        testId,
        category,
        variable,
        value,
      ),
    setRunState: (runId, state) => update("UPDATE runs SET state = ? WHERE id = ?", state, runId),
    close: () => db.close(),
  };
}
