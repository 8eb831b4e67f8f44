import { createHash, type Hash } from "node:crypto";
import { statSync } from "node:fs";
import type Database from "better-sqlite3";
import { gapName, notNamed } from "../../../shared/area-db/hidden-row-names.ts";
import type { FileDigest } from "../../../shared/contract/migration-row.ts";
import { JobsError, toJobsError } from "../../../shared/errors.ts";
import { quoteName } from "../../../shared/sqlite/connection.ts";
import { idAfter } from "../../../shared/sqlite/ids.ts";
import { openSqlite } from "../../../shared/sqlite/library.ts";
import { lowestId } from "../../../shared/sqlite/run-id.ts";
import { isNotUnderstood } from "../../../shared/sqlite/site-schema.ts";
import { rowidName } from "../../../shared/sqlite/table.ts";

/** Tables that differ between the hosts and hold no records. */
const leftOut = ["mtjobs_fence", "mtjobs_closed"];

/** Rows per statement: held in memory, under one shared lock. */
const chunk = 1_000;

/**
 * Digests every row of a database, values with types, without fence, mark and the id gap's rows. Meant for a closed
 * database.
 *
 * @throws the signal's reason, between two chunks
 */
export function digestOf(file: string, signal: AbortSignal): FileDigest {
  const db = openToRead(file);
  try {
    const hash = createHash("sha256");
    const rows: Record<string, number> = {};
    for (const { name, wr } of ordinaryTables(db)) {
      hash.update(`\0${name}\0`);
      rows[name] = wr === 1 ? addKeyed(db, name, hash) : addByRowid(db, name, hash, signal);
      signal.throwIfAborted();
    }
    return { sha256: hash.digest("hex"), rows, bytes: statSync(file).size };
  } finally {
    db.close();
  }
}

export function sameDigest(a: FileDigest, b: FileDigest): boolean {
  return a.sha256 === b.sha256;
}

/** Returns the problems that SQLite's integrity check finds. Skips tables that need application-defined functions. */
export function integrityOf(file: string): string[] {
  const db = openToRead(file);
  try {
    return checkWhole(db);
  } catch (error) {
    // The schema itself is damaged.
    const { code, message } = toJobsError(error);
    if (code === "corrupt") return [message];
    throw error;
  } finally {
    db.close();
  }
}

function checkWhole(db: Database.Database): string[] {
  const check = (of: string) => {
    const found = db.prepare<[], string>(`PRAGMA integrity_check(${of})`).pluck().all();
    return found.length === 1 && found[0] === "ok" ? [] : found;
  };
  const checkIfUnderstood = (of: string) => {
    try {
      return check(of);
    } catch (error) {
      if (isNotUnderstood(error)) return undefined;
      throw error;
    }
  };
  return (
    checkIfUnderstood("20") ??
    ordinaryTables(db).flatMap(({ name }) => checkIfUnderstood(quoteName(name)) ?? [])
  );
}

/** @throws JobsError `corrupt` */
export function assertSound(file: string, problems = integrityOf(file)): void {
  if (problems.length === 0) return;
  // SQLite lists the faults of a tree below a headline.
  const lines = problems.join("\n").split("\n");
  const first = lines.find((line) => !line.startsWith("***")) ?? lines[0];
  throw new JobsError("corrupt", `${file} is damaged: ${first}`, {
    hint: "nothing was removed; check where the file comes from and the disk it is on",
    details: { file, problems },
  });
}

function openToRead(file: string): Database.Database {
  // Writable: a dead writer's journal must be rolled back first.
  const db = openSqlite(file, { fileMustExist: true, timeout: 5_000 });
  db.pragma("cache_size = -16000");
  return db;
}

interface Table {
  name: string;
  /** 1: WITHOUT ROWID. */
  wr: number;
}

function ordinaryTables(db: Database.Database): Table[] {
  return db
    .prepare<[], Table>(
      `SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow')
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`,
    )
    .all()
    .filter(({ name }) => !leftOut.includes(name));
}

interface Column {
  name: string;
  pk: number;
}

/** Returns the stored columns; computed ones add nothing, and may need an application-defined function. */
function columnsOf(db: Database.Database, table: string): Column[] {
  return db
    .prepare<[string], Column>(
      "SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden IN (0, 3) ORDER BY cid",
    )
    .all(table);
}

function addByRowid(db: Database.Database, table: string, hash: Hash, signal: AbortSignal): number {
  const columns = columnsOf(db, table);
  const rowid = rowidName(columns.map(({ name }) => name));
  const text = rowText(columns.map(({ name }) => name));
  // In read order: sorting would double the time.
  const read = db
    .prepare<[bigint], [bigint | null, bigint, Buffer | null]>(
      `SELECT max(at), count(*), CAST(group_concat(text, '') AS BLOB) FROM (
         SELECT x.${rowid} AS at, ${text} AS text FROM ${quoteName(table)} AS x
         WHERE x.${rowid} >= ? AND ${notNamed(table, "x", gapName) ?? "1"} ORDER BY x.${rowid} LIMIT ${chunk})`,
    )
    .safeIntegers()
    .raw();
  let rows = 0;
  for (let from: bigint | undefined = lowestId; from !== undefined; ) {
    const [last, count, content]: [bigint | null, bigint, Buffer | null] = read.get(from) ?? [null, 0n, null];
    if (last === null || content === null) break;
    hash.update(content);
    rows += Number(count);
    from = idAfter(from, last);
    signal.throwIfAborted();
  }
  return rows;
}

/** Digests a WITHOUT ROWID table, which only sites add; they are small. */
function addKeyed(db: Database.Database, table: string, hash: Hash): number {
  const columns = columnsOf(db, table);
  const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
  const order = key.map(({ name }) => quoteName(name)).join(", ");
  const text = rowText(columns.map(({ name }) => name));
  const read = db
    .prepare<[], Buffer>(`SELECT CAST(${text} AS BLOB) FROM ${quoteName(table)} AS x ORDER BY ${order}`)
    .pluck();
  let rows = 0;
  for (const content of read.iterate()) {
    hash.update(content);
    rows += 1;
  }
  return rows;
}

/**
 * SQL: a row as unambiguous text: type, length and bytes of each value. One call, since `||` would copy the prefix
 * each time.
 */
function rowText(columns: readonly string[]): string {
  const values = columns.map((name) => {
    const value = `x.${quoteName(name)}`;
    // A real's text may be rounded; its literal is exact.
    return `typeof(${value}), ':', octet_length(${value}), ':', iif(typeof(${value}) = 'real', quote(${value}), ${value})`;
  });
  return `concat(${[...values, "char(10)"].join(", ',', ")})`;
}
