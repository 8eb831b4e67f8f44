import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import type { Random } from "../../producers/demo/sample-area/random.ts";
import {
  cleanUp,
  edit,
  everywhere,
  makeRefillDue,
  removeRuns,
  settleTimes,
  syncOnce,
} from "../support/area.ts";
import type { Account } from "./account.ts";
import { addDatum, addStep, addTest, reports, type Test, testsSql } from "./reports.ts";

/** What clients, syncs and operators of Megatest do to an area, each deed chosen by chance. */
export class Deeds {
  readonly #area: SampleArea;
  readonly #account: Account;
  readonly #random: Random;
  readonly #note: (sentence: string) => void;
  #count = 0;
  /** Ids of moved records may be given out again: until a job has ended, a late report may be another record's. */
  areGuardsGone = false;

  constructor(area: SampleArea, account: Account, random: Random, note: (sentence: string) => void) {
    this.#area = area;
    this.#account = account;
    this.#random = random;
    this.#note = note;
  }

  /** Writes a word into each value of the area, the same in all databases. */
  begin(): void {
    const word = new Map<string, string>();
    edit(this.#area, everywhere, (db) => {
      for (const { id, runname, name } of db.prepare<[], Test>(testsSql).all()) {
        const wordOf = (key: string) => {
          if (!word.has(key)) word.set(key, this.#account.word(runname, name));
          return word.get(key);
        };
        db.prepare("UPDATE tests SET comment = ? WHERE id = ?").run(wordOf(`test ${id}`), id);
        for (const table of ["test_steps", "test_data"])
          for (const child of db
            .prepare<[number], number>(`SELECT id FROM ${table} WHERE test_id = ?`)
            .pluck()
            .all(id))
            db.prepare(`UPDATE ${table} SET comment = ? WHERE id = ?`).run(
              wordOf(`${table} ${child}`),
              child,
            );
      }
    });
  }

  /** Something between two jobs. */
  async between(): Promise<void> {
    const chance = this.#random.below(100);
    if (chance < 40) this.client();
    else if (chance < 55) this.late();
    else if (chance < 63) this.#changeInMegatestDb();
    else if (chance < 77) await this.#sync();
    else if (chance < 83) {
      makeRefillDue(this.#area);
      this.#note("a refill is due");
      return;
    } else if (chance < 90) this.register();
    else if (chance < 94) await this.#removeRun();
    else this.cleanUp();
    settleTimes(this.#area);
  }

  /** Something while a job runs, if the databases are not locked. Returns whether ids may have been reused. */
  meanwhile(): boolean {
    const chance = this.#random.below(100);
    if (chance < 45) this.client();
    else if (chance < 65) this.late();
    else if (chance < 80) this.register();
    else {
      this.cleanUp();
      return true;
    }
    return false;
  }

  /** A client reports on a test that Megatest shows. */
  client(): void {
    this.#write("cache", "client", (db) => {
      const test = this.#pick(db.prepare<[], Test>(testsSql).all());
      if (test === undefined) return "none to report on";
      const report = reports[this.#random.below(reports.length)] ?? reports[0];
      report(db, test, {
        word: (run, name) => this.#account.word(run, name),
        pick: (rows) => this.#pick(rows),
        next: () => ++this.#count,
      });
      return `${report.name} of test ${test.id}, ${test.runname} ${test.name}`;
    });
  }

  /** A client reports on a test that has moved. */
  late(): void {
    const { completedDb } = this.#account;
    if (!existsSync(completedDb) || this.areGuardsGone) return;
    const completed = new Database(completedDb, { readonly: true });
    const moved = completed
      .prepare<[], Test>(`${testsSql} AND r.id IN (SELECT run_id FROM mtjobs_runs WHERE state = 'moved')`)
      .all();
    completed.close();
    const test = this.#pick(moved);
    if (test === undefined) return;
    this.#write("cache", "late report", (db) => {
      const shown = db.prepare("SELECT 1 FROM tests WHERE id = ? UNION ALL SELECT 1 FROM runs WHERE id = ?");
      if (shown.get(test.id, test.run) !== undefined) return "none: its id is another's";
      const kind = this.#random.below(4);
      const { runname, name, testname, item, run } = test;
      if (kind === 0) addStep(db, test.id, `late${++this.#count}`, this.#account.word(runname, name));
      else if (kind === 1) addDatum(db, test.id, `late${++this.#count}`, this.#account.word(runname, name));
      else if (kind === 2) {
        const other = `late${++this.#count}`;
        addTest(db, run, other, "", this.#account.word(runname, other));
      } else {
        // A client that lost the run registers its test again.
        const id = addTest(db, run, testname, item, this.#account.word(runname, name));
        addStep(db, id, "again", this.#account.word(runname, name));
      }
      return `kind ${kind} on test ${test.id}, ${runname} ${name}`;
    });
  }

  /** A client registers a run with two tests. */
  register(): void {
    this.#write("cache", "registers", (db) => {
      const runname = `new${++this.#count}`;
      const run = db
        .prepare(
          `INSERT INTO runs (sysname, fsname, datapath, runname, state, status, owner, event_time)
           VALUES ('u', 'n', 'd', ?, 'new', 'n/a', 'megatest', ?)`,
        )
        .run(runname, 5 + this.#count).lastInsertRowid;
      for (const name of ["one", "two"]) {
        const id = addTest(db, run, name, "", this.#account.word(runname, name));
        for (const step of ["a", "b"]) addStep(db, id, step, this.#account.word(runname, name));
        addDatum(db, id, "c", this.#account.word(runname, name));
      }
      return `run ${run}, ${runname}`;
    });
  }

  /** `-cleanup-db`: removes guards, and rows without a parent. Nothing if a database is locked. */
  cleanUp(): void {
    const { cacheDb, refDb, megatestDb } = this.#area;
    const files = [cacheDb, refDb, megatestDb];
    if (files.some(isLocked)) return;
    const before = this.#account.numbers();
    cleanUp(files);
    this.#account.letGoSince(before);
    this.#account.letGoOfOrphans();
    this.areGuardsGone = true;
    this.#note("-cleanup-db");
  }

  #changeInMegatestDb(): void {
    this.#write("area", "in megatest.db", (db) => {
      const test = this.#pick(db.prepare<[], Test>(testsSql).all());
      if (test === undefined) return "nothing to change";
      db.prepare("UPDATE tests SET comment = ? WHERE id = ?").run(
        this.#account.word(test.runname, test.name),
        test.id,
      );
      return `test ${test.id}, ${test.runname} ${test.name}`;
    });
  }

  /** A sync writes over rows of megatest.db; what it replaces there was older. */
  async #sync(): Promise<void> {
    const before = this.#account.numbers();
    await syncOnce(this.#area, { quietMs: 0 });
    this.#account.letGoSince(before);
    this.#note("sync");
  }

  /** Synced at once: until then megatest.db has tests of a run whose id may be given out again. */
  async #removeRun(): Promise<void> {
    const { cacheDb } = this.#area;
    const db = new Database(cacheDb, { readonly: true });
    const runs = db
      .prepare<[], { id: number; runname: string }>(
        "SELECT id, runname FROM runs WHERE runname NOT LIKE 'mtjobs-%' AND state <> 'deleted'",
      )
      .all();
    db.close();
    const run = this.#pick(runs);
    if (run === undefined) return;
    this.#account.letGoOf(run.runname);
    removeRuns(cacheDb, [run.id]);
    this.#note(`-remove-runs of ${run.id}`);
    await this.#sync();
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[this.#random.below(Math.max(items.length, 1))];
  }

  /** Writes in a transaction, unless a job has locked the database. */
  #write(place: "cache" | "area", who: string, change: (db: Database.Database) => string): void {
    const file = place === "cache" ? this.#area.cacheDb : this.#area.megatestDb;
    if (isLocked(file)) return;
    this.#account.letting(place, () => {
      const db = new Database(file);
      try {
        db.pragma("foreign_keys = OFF");
        const what = db.transaction(() => change(db))();
        this.#note(`${who}: ${what}`);
      } finally {
        db.close();
      }
    });
  }
}

/** A job of this process cannot let go of a lock while a deed waits for it. */
function isLocked(file: string): boolean {
  const db = new Database(file, { timeout: 0 });
  try {
    db.exec("BEGIN IMMEDIATE; ROLLBACK");
    return false;
  } catch {
    return true;
  } finally {
    db.close();
  }
}
