import { targetKeys } from "../../shared/area/config/config.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { prepared } from "../../shared/sqlite/connection.ts";
import { type IdRange, idAfter, lastOfNext, preparedIds } from "../../shared/sqlite/ids.ts";
import { foldName, NameSet } from "../../shared/sqlite/names.ts";
import { lowestId } from "../../shared/sqlite/run-id.ts";
import { FullDb } from "../full-db/full-db.ts";
import { locateFiles, type ReadFiles } from "../full-db/locate.ts";
import { toReadError } from "../full-db/open-reader.ts";
import type { Value } from "../full-db/parameters.ts";

/** Who reads, and from where. */
export interface Reading {
  settings: Settings;
  env: NodeJS.ProcessEnv;
}

/** An area opened for some short statements. */
export interface OpenedRuns {
  /** As given. */
  area: string;
  source: ReadFiles["source"];
  db: FullDb;
  /** The target keys that are columns of `runs`. */
  keys: string[];
}

/** Milliseconds to wait for a writer. */
const busyTimeoutMs = 5000;

/**
 * Opens both databases of an area read-only for `read`, and closes them.
 *
 * @param path absolute
 * @throws {JobsError} as `locateFiles` and `openReader`
 */
export async function withRuns<T>(
  path: string,
  { settings, env }: Reading,
  read: (opened: OpenedRuns) => T,
): Promise<T> {
  const { area, files } = await locateFiles(path, { settings, env });
  const db = new FullDb(files, { busyTimeoutMs });
  try {
    const columns = columnsOf(db, "runs");
    const keys = targetKeys(area.config).filter((key) => columns.has(key));
    return read({ area: area.path, source: files.source, db, keys });
  } catch (error) {
    throw toReadError(error, files);
  } finally {
    db.close();
  }
}

/** Returns the columns of both databases together. */
export function columnsOf(db: FullDb, table: string): NameSet {
  return new NameSet(
    db.connection
      .prepare(`SELECT * FROM ${table}`)
      .columns()
      .map(({ name }) => name),
  );
}

export interface RowsOf {
  table: "runs" | "tests" | "test_steps" | "test_data";
  /** SQL condition that an index answers, and its parameter. */
  owner?: { column: "run_id" | "test_id"; id: bigint };
}

/** Maximum rows that a statement reads on each side: Megatest's writers wait for it. */
const chunk = 1000;

/**
 * Yields ranges of ids that together have all rows from `from` on. They only divide the work; which rows of a range
 * count is for the view to say.
 */
export function* idChunks(db: FullDb, { table, owner }: RowsOf, from = lowestId): Generator<IdRange> {
  const names = [`main.${table}`, ...(db.rule === undefined ? [] : [`completed.${table}`])];
  const of = owner === undefined ? "" : ` WHERE ${owner.column} = ${owner.id}`;
  const lasts = names.map((name) =>
    preparedIds<[bigint], bigint | null>(
      db.connection,
      lastOfNext(of === "" ? name : `(SELECT id FROM ${name}${of})`, chunk),
    ),
  );
  for (let start: bigint | undefined = from; start !== undefined; ) {
    const first: bigint = start;
    const ends = lasts.map((last) => last.get(first) ?? null).filter((end) => end !== null);
    if (ends.length === 0) return;
    const to = ends.reduce((a, b) => (a < b ? a : b));
    yield [first, to];
    start = idAfter(first, to);
  }
}

/** Reads rows over the views, one by one; integers are bigints, and column names folded. Leaving it ends the lock. */
export function* eachRow(
  db: FullDb,
  sql: string,
  ...parameters: Value[]
): Generator<Record<string, Value>, void> {
  const statement = prepared<unknown[], Record<string, Value>>(db.connection, sql);
  statement.safeIntegers();
  for (const row of statement.iterate(...parameters))
    yield Object.fromEntries(Object.entries(row).map(([name, value]) => [foldName(name), value]));
}

export function readAll(db: FullDb, sql: string, ...parameters: Value[]): Record<string, Value>[] {
  return [...eachRow(db, sql, ...parameters)];
}
