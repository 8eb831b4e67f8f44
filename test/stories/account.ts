import { existsSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { readWords, type Sighting, type Word, writeWord } from "./words.ts";

/** What is asked of a job that has ended. */
export interface Ending {
  /** It ended ok, without a warning, and no client wrote meanwhile: nothing is left to another job. */
  isClean: boolean;
  /** Ids may have been reused since: until the next job a value may seem another record's. */
  mayBeReused: boolean;
}

const readers = ["cache", "area", "completed"] as const;

/** Keeps account of every word of an area: which must be somewhere, and where each may be. */
export class Account {
  readonly #area: SampleArea;
  readonly #exports: () => readonly string[];
  readonly #words = new Map<number, Word>();
  /** Megatest overwrote or deleted them: a job may keep them, or not. */
  readonly #letGo = new Set<number>();

  constructor(area: SampleArea, exports: () => readonly string[]) {
    this.#area = area;
    this.#exports = exports;
  }

  /** Returns a new word of that run and test, for a client to write. */
  word(run: string, test: string): string {
    const word = { number: this.#words.size + 1, run, test };
    this.#words.set(word.number, word);
    return writeWord(word);
  }

  /**
   * Runs what Megatest does to a database. A word that it takes from there need not be anywhere else, and one that it did
   * not write after all is forgotten.
   */
  letting(place: "cache" | "area", deed: () => void): void {
    const before = this.#numbersIn(this.#read(place));
    const written = this.#words.size;
    deed();
    const after = this.#numbersIn(this.#read(place));
    for (let number = written + 1; number <= this.#words.size; number++) before.add(number);
    this.#letGoUnless(before, after);
  }

  /** Megatest removes a run: rows that it leaves behind are no one's. */
  letGoOf(runname: string): void {
    for (const { number, run } of this.#read("cache")) if (run === runname) this.#letGo.add(number);
  }

  /** A clean-up leaves data of tests that are not there: they are the next test's that gets the id. */
  letGoOfOrphans(): void {
    for (const place of ["cache", "ref", "area"] as const)
      for (const { number, run } of this.#read(place)) if (run === undefined) this.#letGo.add(number);
  }

  /** Returns the words that are anywhere, for `letGoSince`. */
  numbers(): ReadonlySet<number> {
    return this.#numbersIn(this.readAll());
  }

  /** Call after what Megatest did to several databases: a word that is in none by now is gone. */
  letGoSince(before: ReadonlySet<number>): void {
    this.#letGoUnless(before, this.numbers());
  }

  #letGoUnless(before: ReadonlySet<number>, after: ReadonlySet<number>): void {
    for (const number of before) if (!after.has(number)) this.#letGo.add(number);
  }

  readAll(): Sighting[] {
    const places = ["cache", "ref", "area", "completed"] as const;
    return [
      ...places.flatMap((place) => this.#read(place)),
      ...this.#exports().flatMap((file) => readWords(file, "export")),
    ];
  }

  /** Returns a sentence for each word that is lost, doubled, or another's, and for each row left behind. */
  problems({ isClean, mayBeReused }: Ending): string[] {
    const found = this.readAll();
    const problems = [...this.#lost(found), ...(mayBeReused ? [] : this.#misplaced(found))];
    return isClean ? [...problems, ...this.#doubled(found), ...this.#leftBehind()] : problems;
  }

  #read(place: "cache" | "ref" | "area" | "completed"): Sighting[] {
    const { cacheDb, refDb, megatestDb } = this.#area;
    return readWords(
      { cache: cacheDb, ref: refDb, area: megatestDb, completed: this.completedDb }[place],
      place,
    );
  }

  get completedDb(): string {
    return join(this.#area.directory, "completed-runs.db");
  }

  #numbersIn(found: readonly Sighting[]): Set<number> {
    return new Set(found.map(({ number }) => number));
  }

  /** A word that only the ref has is lost: Megatest shows it to no one. */
  #lost(found: readonly Sighting[]): string[] {
    const there = this.#numbersIn(found.filter(({ space }) => space !== "ref"));
    return [...this.#words.keys()]
      .filter((number) => !there.has(number) && !this.#letGo.has(number))
      .map((number) => `lost: ${this.#show(number, found)}`);
  }

  #misplaced(found: readonly Sighting[]): string[] {
    return found
      .filter(({ number, run, test }) => {
        const word = this.#words.get(number);
        if (this.#letGo.has(number)) return false;
        return (run !== undefined && run !== word?.run) || (test !== undefined && test !== word?.test);
      })
      .map(
        (sighting) => `of another record: ${JSON.stringify(sighting)}, ${this.#show(sighting.number, found)}`,
      );
  }

  #doubled(found: readonly Sighting[]): string[] {
    const places = new Map<number, Sighting["space"][]>();
    for (const { number, space } of found.filter(({ space: each }) =>
      readers.some((place) => place === each),
    ))
      places.set(number, [...(places.get(number) ?? []), space]);
    return [...places]
      .filter(([, spaces]) => {
        const inCompleted = spaces.filter((space) => space === "completed").length;
        return inCompleted > 1 || (inCompleted === 1 && spaces.length > 1);
      })
      .map(([number]) => `doubled: ${this.#show(number, found)}`);
  }

  #show(number: number, found: readonly Sighting[]): string {
    const word = this.#words.get(number);
    const seen = found.filter((sighting) => sighting.number === number);
    return `${word === undefined ? number : writeWord(word)} is in ${JSON.stringify(seen)}`;
  }

  /** Every run of completed-runs.db has moved, and no database has a row of it, nor a step or datum of its tests. */
  #leftBehind(): string[] {
    if (!existsSync(this.completedDb)) return [];
    const db = new Database(this.completedDb, { readonly: true });
    try {
      const states = db.prepare("SELECT run_id, state FROM mtjobs_runs WHERE state <> 'moved'").raw().all();
      const { cacheDb, refDb, megatestDb } = this.#area;
      const left = Object.entries({ cacheDb, refDb, megatestDb }).flatMap(([name, file]) =>
        rowsOfMoved(db, file).map((row) => `left in ${name}: ${row}`),
      );
      return [...states.map((state) => `not moved: ${JSON.stringify(state)}`), ...left];
    } finally {
      db.close();
    }
  }
}

function rowsOfMoved(completed: Database.Database, file: string): string[] {
  if (!existsSync(file)) return [];
  const db = new Database(":memory:");
  try {
    db.prepare("ATTACH ? AS there").run(file);
    db.prepare("ATTACH ? AS moved").run(completed.name);
    return db
      .prepare<[], string>(
        `SELECT 'run ' || x.id FROM there.runs AS x JOIN moved.runs AS d ON d.id = x.id AND d.runname = x.runname
         UNION ALL SELECT 'test ' || x.id FROM there.tests AS x JOIN moved.runs AS d ON d.id = x.run_id
           WHERE NOT EXISTS (SELECT 1 FROM there.runs AS r WHERE r.id = x.run_id)
         UNION ALL SELECT 'step ' || x.id FROM there.test_steps AS x JOIN moved.tests AS d ON d.id = x.test_id
           WHERE NOT EXISTS (SELECT 1 FROM there.tests AS t WHERE t.id = x.test_id)
         UNION ALL SELECT 'datum ' || x.id FROM there.test_data AS x JOIN moved.tests AS d ON d.id = x.test_id
           WHERE NOT EXISTS (SELECT 1 FROM there.tests AS t WHERE t.id = x.test_id)`,
      )
      .pluck()
      .all();
  } finally {
    db.close();
  }
}
