import { existsSync } from "node:fs";
import Database from "better-sqlite3";

/** A value that stands once in all databases, and names the run and the test that it belongs to. */
export interface Word {
  number: number;
  run: string;
  /** Name and item path; `-` for a value of the run itself. */
  test: string;
}

export const writeWord = ({ number, run, test }: Word): string => `[${number} of ${run} ${test}]`;

const pattern = /\[(\d+) of (\S+) (\S+)\]/g;

/** Returns the numbers of the words in a text. */
export const wordsIn = (text: string): number[] =>
  [...text.matchAll(pattern)].map(([, number]) => Number(number));

/** Whom a row belongs to; undefined what the database does not tell. */
export interface Owner {
  run: string | undefined;
  test: string | undefined;
}

/** Where a word was found. */
export interface Sighting extends Owner {
  number: number;
  /** `kept`: in `mtjobs_superseded` of completed-runs.db. */
  space: "cache" | "ref" | "area" | "completed" | "kept" | "export";
  table: string;
  id: string;
}

const tables = ["tests", "test_steps", "test_data", "extradat", "archives"];

type Row = Record<string, unknown>;

/** Finds all words in a database, in its rows and in the versions that it keeps. */
export function readWords(file: string, space: Sighting["space"]): Sighting[] {
  if (!existsSync(file)) return [];
  const db = new Database(file, { readonly: true });
  try {
    db.defaultSafeIntegers();
    const rows = tables.flatMap((table) =>
      db
        .prepare<[], Row>(`SELECT * FROM ${table}`)
        .all()
        .flatMap((row) => {
          const owner = () => ownerOf(db, table, row);
          const text = Object.values(row)
            .filter((value) => typeof value === "string")
            .join("\n");
          return sightings(text, { space, table, id: String(row.id), owner });
        }),
    );
    if (space !== "completed" && space !== "export") return rows;
    const kept = db.prepare<[], Version>("SELECT id, table_name, columns, row FROM mtjobs_superseded").all();
    return [
      ...rows,
      ...kept.flatMap((version) =>
        sightings(version.row, {
          space: space === "export" ? space : "kept",
          table: version.table_name,
          id: String(version.id),
          owner: () => ownerOf(db, version.table_name, valuesOf(version)),
        }),
      ),
    ];
  } finally {
    db.close();
  }
}

function sightings(
  text: string,
  { owner, ...where }: Pick<Sighting, "space" | "table" | "id"> & { owner: () => Owner },
): Sighting[] {
  const numbers = wordsIn(text);
  if (numbers.length === 0) return [];
  const { run, test } = owner();
  return numbers.map((number) => ({ number, ...where, run, test }));
}

function ownerOf(db: Database.Database, table: string, row: Row): Owner {
  if (table === "extradat") return { run: runNamed(db, row.run_id), test: "-" };
  if (table === "tests") return { run: runNamed(db, row.run_id), test: nameOfTest(row) };
  const test = db.prepare<[unknown], Row>("SELECT * FROM tests WHERE id = ?").get(row.test_id);
  if (test !== undefined) return ownerOf(db, "tests", test);
  const known = hasVersions(db) ? keptTest(db, row.test_id) : undefined;
  return known === undefined ? { run: undefined, test: undefined } : ownerOf(db, "tests", known);
}

const nameOfTest = ({ testname, item_path: item }: Row): string =>
  `${String(testname)}${item === "" || item === null ? "" : `:${String(item)}`}`;

const runNamed = (db: Database.Database, id: unknown): string | undefined =>
  db.prepare<[unknown], string>("SELECT runname FROM runs WHERE id = ?").pluck().get(id);

interface Version {
  id: bigint;
  table_name: string;
  columns: string;
  row: string;
}

const hasVersions = (db: Database.Database): boolean =>
  db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'mtjobs_superseded'").get() !== undefined;

/** The test of that id, if there are only versions of it, all called the same. */
function keptTest(db: Database.Database, id: unknown): Row | undefined {
  const tests = db
    .prepare<[unknown], Version>("SELECT * FROM mtjobs_superseded WHERE table_name = 'tests' AND row_id = ?")
    .all(id)
    .map(valuesOf);
  const names = new Set(tests.map((test) => `${String(test.run_id)} ${nameOfTest(test)}`));
  return names.size === 1 ? tests[0] : undefined;
}

/** Has SQLite itself read the literals of a version. */
function valuesOf({ columns, row }: Version): Row {
  const names = JSON.parse(columns) as string[];
  const db = new Database(":memory:");
  try {
    const values = db.prepare<[], unknown[]>(`SELECT ${row}`).safeIntegers().raw().get() ?? [];
    return Object.fromEntries(names.map((name, at) => [name, values[at]]));
  } finally {
    db.close();
  }
}
