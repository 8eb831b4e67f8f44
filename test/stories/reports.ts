import type Database from "better-sqlite3";

/** A test that Megatest shows. */
export interface Test {
  id: number;
  run: number;
  runname: string;
  /** As in `Word`. */
  name: string;
  testname: string;
  item: string;
}

export const testsSql = `SELECT t.id, t.run_id AS run, r.runname, t.testname, coalesce(t.item_path, '') AS item,
  t.testname || CASE WHEN coalesce(t.item_path, '') = '' THEN '' ELSE ':' || t.item_path END AS name
  FROM tests AS t JOIN runs AS r ON r.id = t.run_id WHERE r.runname NOT LIKE 'mtjobs-%' AND r.state <> 'deleted'`;

/** What a client's report takes from the story. */
export interface Hand {
  word(run: string, test: string): string;
  pick<T>(items: readonly T[]): T | undefined;
  next(): number;
}

type Row = Record<string, unknown> & { id: number };

function changeComment(db: Database.Database, test: Test, hand: Hand): void {
  db.prepare("UPDATE tests SET comment = ? WHERE id = ?").run(hand.word(test.runname, test.name), test.id);
}

function reportStepAgain(db: Database.Database, test: Test, hand: Hand): void {
  const step = hand.pick(
    db.prepare<[number], Row>("SELECT * FROM test_steps WHERE test_id = ?").all(test.id),
  );
  if (step === undefined) return;
  db.prepare(
    `INSERT OR REPLACE INTO test_steps (test_id, stepname, state, status, event_time, comment, logfile)
     VALUES (?, ?, ?, '0', 5, ?, '')`,
  ).run(test.id, step.stepname, step.state, hand.word(test.runname, test.name));
}

function recordAgain(db: Database.Database, test: Test, hand: Hand): void {
  const datum = hand.pick(
    db.prepare<[number], Row>("SELECT * FROM test_data WHERE test_id = ?").all(test.id),
  );
  if (datum === undefined) return;
  db.prepare(
    "INSERT OR REPLACE INTO test_data (test_id, category, variable, value, comment) VALUES (?, ?, ?, 1, ?)",
  ).run(test.id, datum.category, datum.variable, hand.word(test.runname, test.name));
}

function reportStep(db: Database.Database, test: Test, hand: Hand): void {
  addStep(db, test.id, `more${hand.next()}`, hand.word(test.runname, test.name));
}

/** The test starts again, under another id. */
function startAgain(db: Database.Database, test: Test, hand: Hand): void {
  for (const table of ["test_steps", "test_data", "archives", "test_rundat"])
    db.prepare(`DELETE FROM ${table} WHERE test_id = ?`).run(test.id);
  db.prepare("DELETE FROM tests WHERE id = ?").run(test.id);
  const id = addTest(db, test.run, test.testname, test.item, hand.word(test.runname, test.name));
  addStep(db, id, "again", hand.word(test.runname, test.name));
}

function replaceExtra(db: Database.Database, test: Test, hand: Hand): void {
  db.prepare("DELETE FROM extradat WHERE run_id = ?").run(test.run);
  db.prepare("INSERT INTO extradat (run_id, key, val) VALUES (?, 'k', ?)").run(
    test.run,
    hand.word(test.runname, "-"),
  );
}

function addArchive(db: Database.Database, test: Test, hand: Hand): void {
  db.prepare("INSERT INTO archives (test_id, state, status, archive_path) VALUES (?, 'a', 'b', ?)").run(
    test.id,
    hand.word(test.runname, test.name),
  );
}

export function addTest(
  db: Database.Database,
  run: number | bigint,
  testname: string,
  item: string,
  word: string,
): number {
  db.prepare(
    `INSERT OR IGNORE INTO tests (run_id, testname, item_path, state, status, event_time, comment)
       VALUES (?, ?, ?, 'COMPLETED', 'PASS', 5, ?)`,
  ).run(run, testname, item, word);
  return (
    db
      .prepare<[number | bigint, string, string], number>(
        "SELECT id FROM tests WHERE run_id = ? AND testname = ? AND item_path = ?",
      )
      .pluck()
      .get(run, testname, item) ?? 0
  );
}

export function addStep(db: Database.Database, test: number | bigint, name: string, word: string): void {
  db.prepare(
    `INSERT OR REPLACE INTO test_steps (test_id, stepname, state, status, event_time, comment, logfile)
     VALUES (?, ?, 'end', '0', 5, ?, '')`,
  ).run(test, name, word);
}

export function addDatum(db: Database.Database, test: number | bigint, variable: string, word: string): void {
  db.prepare(
    "INSERT OR REPLACE INTO test_data (test_id, category, variable, value, comment) VALUES (?, 'c', ?, 1, ?)",
  ).run(test, variable, word);
}

/** What a client may report on a test. */
export const reports = [
  changeComment,
  reportStepAgain,
  recordAgain,
  reportStep,
  startAgain,
  replaceExtra,
  addArchive,
] as const;
