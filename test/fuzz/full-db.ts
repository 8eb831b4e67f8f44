import { execFileSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { buildArea } from "../../producers/demo/sample-area/build-area.ts";
import { FullDb } from "../../producers/full-db/full-db.ts";
import { JobsError } from "../../shared/errors.ts";
import { tokenize } from "../../shared/sqlite/tokens.ts";
import { onlyViews, rewritable } from "../shared/full-db/known-queries.ts";
import type { MakeFuzz } from "./target.ts";

/** Words of a kind: one may take the place of another, and the query often stays valid. */
const kinds = {
  operator: `= == <> != < > <= >= IS LIKE GLOB + - * / % || AND OR`,
  join: `JOIN , NATURAL CROSS INNER LEFT RIGHT FULL OUTER ON`,
  clause: `WHERE HAVING ON UNION EXCEPT INTERSECT ALL DISTINCT NOT EXISTS IN NULL ISNULL NOTNULL COLLATE FILTER OVER`,
  value: `0 1 2.5 -1 'PASS' 'COMPLETED' 'end' '%a%' NULL TRUE x'00' id`,
  function: `count sum min max avg total abs lower upper length typeof coalesce ifnull likely`,
  name: `id run_id test_id runname sysname testname item_path stepname state status event_time comment variable category
    value units owner archived last_update runs tests test_steps test_data keys r t s d r.id t.id t.run_id s.test_id d.test_id`,
};
const words = Object.fromEntries(Object.entries(kinds).map(([kind, text]) => [kind, text.split(/\s+/)]));
const allWords = [...new Set(Object.values(words).flat()), "(", ")"];
const known = [...rewritable, ...onlyViews].map((sql) => tokenize(sql).map(({ text }) => text));

/** Inputs to begin with: the known queries. */
export const seeds = known.map((_, number) => Buffer.from([number]));

const of = <T>(list: readonly T[], byte: number) => list[byte % list.length] as T;

/** Returns words of which one takes the place of `word`. */
function alike(word: string): readonly string[] {
  const kind = Object.values(words).find((list) => list.includes(word) || list.includes(word.toUpperCase()));
  if (kind !== undefined) return kind;
  if (/^['\d]/.test(word)) return words.value ?? [];
  return /^["`[a-z]/.test(word) ? (words.name ?? []) : allWords;
}

/** Changes a known query: the first byte is its number, and each three that follow are a place, a change, and a word. */
function queryOf([number = 0, ...edits]: Buffer): string {
  const query = [...of(known, number)];
  for (let at = 0; at + 2 < edits.length; at += 3) {
    const [place = 0, change = 0, word = 0] = edits.slice(at, at + 3);
    const index = place % query.length;
    if (change < 192) query[index] = of(alike(query[index] ?? ""), word);
    else if (change < 224) query.splice(index, 1);
    else query.splice(index, 0, of(allWords, word));
  }
  return query.join(" ");
}

/** What has no end, differs between databases or is left open by SQLite, as is which rows a LIMIT within a query takes. */
const open =
  /random|rowid|sqlite_|pragma_|explain|\bwith\b.*\bunion\b|group_concat|\bmain\b|\btemp\b|\blimit\b[^)]*\)/is;

const isOpen = (sql: string) =>
  open.test(sql) || (sql.match(/\b(runs|tests|test_steps|test_data)\b/gi)?.length ?? 0) > 3;

/**
 * Every query must give in full-db mode, rewritten or not, what it gives in a database that was never divided. What
 * depends on the order of rows is told by databases with the same rows in other orders: their answers differ.
 */
export const fullDb: MakeFuzz = (directory) => {
  const { files, undivided } = divide(directory);
  const whole = new Database(undivided, { readonly: true });
  const reordered = orders.map((order, index) => reorder(undivided, join(directory, `${index}.db`), order));
  const modes = { rewritten: new FullDb(files), views: new FullDb(files, { rewrite: false }) };
  const check = (sql: string, expected: Answer) => {
    // In which order, and which rows a LIMIT takes, is checked where it is certain: rewrite.test.ts.
    const settled = /\blimit\b/i.test(sql)
      ? (rows: string[]) => [String(rows.length)]
      : (rows: string[]) => rows.toSorted();
    const rows = settled(expected.rows);
    if (!reordered.every((db) => same(settled(answer(db, sql)?.rows ?? []), rows))) return;
    for (const [mode, db] of Object.entries(modes)) {
      const query = db.prepare(sql);
      const got = linesOf(query.iterateRaw());
      if (same(settled(got), rows) && same(query.columns, expected.columns)) continue;
      throw new Error(
        `${mode}: ${sql}\ngives ${query.columns}: ${got.slice(0, 9)}\nand not ${expected.columns}: ${expected.rows.slice(0, 9)}`,
      );
    }
  };
  return (data) => {
    if (data.length > 30) return;
    const sql = queryOf(data);
    if (!/^(select|with|values)\b/i.test(sql) || isOpen(sql)) return;
    const expected = answer(whole, sql);
    if (expected === undefined) assertRefused(modes.rewritten, sql);
    else check(sql, expected);
  };
};

function divide(directory: string) {
  const area = buildArea({
    directory: join(directory, "a1"),
    cacheRoot: join(directory, "cache"),
    user: "ann",
    host: "host-a",
    ...{ runs: 6, testsPerRun: 3, stepsPerTest: 2, dataPerTest: 2, inFlight: 0, unsynced: false },
  });
  const undivided = join(directory, "undivided.db");
  copyFileSync(area.cacheDb, undivided);
  const options = ["--inline", "--host", area.host, "--user", area.user, "--cache-root", area.cacheRoot];
  const command = ["reduce", area.directory, "--run-id", "1,3,4", ...options];
  execFileSync(process.execPath, [join("dist", "entry", "mtjobs.js"), ...command], { stdio: "pipe" });
  const files = {
    main: area.cacheDb,
    source: "cache" as const,
    megatestDb: area.megatestDb,
    completedDb: join(area.directory, "completed-runs.db"),
  };
  return { files, undivided };
}

/** With and without indexes, and with SQLite's own way of turning an order round. */
const orders = [
  { by: "id DESC", indexes: false, reverse: false },
  { by: "id DESC", indexes: true, reverse: true },
  { by: "id * 2654435761 % 4294967296", indexes: false, reverse: true },
  { by: "id * 2246822519 % 4294967296", indexes: true, reverse: false },
  { by: "id * 668265263 % 4294967296", indexes: false, reverse: false },
];

/** Makes a copy with the same rows in another order, which `rowid` has no part in. */
function reorder(
  from: string,
  file: string,
  { by, indexes, reverse }: (typeof orders)[number],
): Database.Database {
  copyFileSync(from, file);
  const db = new Database(file);
  db.pragma("foreign_keys = OFF");
  db.pragma("legacy_alter_table = ON");
  const named = (type: string) =>
    db
      .prepare<[string], { name: string; sql: string }>(
        "SELECT name, sql FROM sqlite_schema WHERE type = ? AND sql IS NOT NULL AND name NOT LIKE 'sqlite%'",
      )
      .all(type);
  for (const { name } of named("trigger")) db.exec(`DROP TRIGGER ${name}`);
  if (!indexes) for (const { name } of named("index")) db.exec(`DROP INDEX ${name}`);
  for (const { name, sql } of named("table")) {
    if (!/INTEGER PRIMARY KEY/i.test(sql)) continue;
    const unique = /,\s*CONSTRAINT\s+\w+\s+UNIQUE\s*\([^)]*\)/gi;
    db.exec(`ALTER TABLE ${name} RENAME TO was_${name}`);
    db.exec((indexes ? sql : sql.replace(unique, "")).replace(/INTEGER PRIMARY KEY/i, "INTEGER"));
    db.exec(`INSERT INTO ${name} SELECT * FROM was_${name} ORDER BY ${by}; DROP TABLE was_${name}`);
  }
  if (reverse) db.pragma("reverse_unordered_selects = ON");
  return db;
}

const mostRows = 3000;

/** The first rows, a line each. */
function linesOf(rows: Iterable<unknown>): string[] {
  const lines: string[] = [];
  for (const row of rows) {
    lines.push(JSON.stringify(row));
    if (lines.length === mostRows) break;
  }
  return lines;
}

const same = (a: readonly string[], b: readonly string[]) =>
  a.length === b.length && a.every((line, index) => line === b[index]);

interface Answer {
  columns: string[];
  rows: string[];
}

/** Returns undefined if SQLite refuses the query, or fails in a row. */
function answer(db: Database.Database, sql: string): Answer | undefined {
  try {
    const statement = db.prepare(sql).raw();
    return { columns: statement.columns().map(({ name }) => name), rows: linesOf(statement.iterate()) };
  } catch {
    return undefined;
  }
}

function assertRefused(db: FullDb, sql: string): void {
  try {
    linesOf(db.prepare(sql).iterateRaw());
  } catch (error) {
    if (error instanceof JobsError && error.code !== "internal") return;
    throw error;
  }
}
