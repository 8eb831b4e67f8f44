import { setImmediate as yieldNow } from "node:timers/promises";
import type Database from "better-sqlite3";
import { JobsError } from "../errors.ts";
import { highestId, lowestId } from "../run-id.ts";
import { type Connection, prepared } from "./connection.ts";

/**
 * Ids are bigints all the way: they have 64 bits, and as a JavaScript number one beyond 2^53 is another row's, so that a
 * statement misses its row, or a loop does not get past it.
 */

/** `prepared` for a statement whose one column holds ids. */
export function preparedIds<Parameters extends unknown[] | object = unknown[], Id = bigint>(
  db: Connection,
  sql: string,
): Database.Statement<Parameters extends unknown[] ? Parameters : [Parameters], Id> {
  const statement = prepared<Parameters, Id>(db, sql);
  // They return the statement itself, but their types forget its parameters.
  statement.safeIntegers();
  statement.pluck();
  return statement;
}

/** Ids as one parameter, for `json_each`. */
export function idList(ids: Iterable<bigint | number | string>): string {
  return `[${Array.from(ids, BigInt).join(",")}]`;
}

/** The largest id of a table, given with its database; undefined where it is empty. */
export function largestId(db: Connection, table: string): bigint | undefined {
  return preparedIds<[], bigint | null>(db, `SELECT max(id) FROM ${table}`).get() ?? undefined;
}

/** The smallest one; undefined likewise. */
export function smallestId(db: Connection, table: string): bigint | undefined {
  return preparedIds<[], bigint | null>(db, `SELECT min(id) FROM ${table}`).get() ?? undefined;
}

/** SQL: an integer as `shownId` would show it, for a statement that reads numbers. */
export const shownIdSql = (value: string): string =>
  `iif(${value} BETWEEN ${Number.MIN_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER}, ${value}, CAST(${value} AS TEXT))`;

/** Ids from the first to the last, both among them. */
export type IdRange = readonly [from: bigint, to: bigint];

/** SQL, of the one value it takes: the last of the next `limit` ids of a table from that one on; NULL where there are none. */
export const lastOfNext = (table: string, limit: number): string =>
  `SELECT max(id) FROM (SELECT id FROM ${table} WHERE id >= ? ORDER BY id LIMIT ${limit})`;

/**
 * Where a walk that looked at the ids `from` to `to` goes on; undefined where there can be no more.
 *
 * @throws JobsError `internal` where it would not get any further
 */
export function idAfter(from: bigint, to: bigint): bigint | undefined {
  if (to < from) throw new JobsError("internal", `a scan of ids went back from ${from} to ${to}`);
  return to >= highestId ? undefined : to + 1n;
}

/** All ids of a table, given with its database, `size` at a time. */
export function* idRanges(db: Connection, table: string, size: number): Generator<IdRange> {
  const last = preparedIds<[bigint], bigint | null>(db, lastOfNext(table, size));
  for (let from: bigint | undefined = lowestId; from !== undefined; ) {
    const to = last.get(from) ?? null;
    if (to === null) return;
    yield [from, to];
    from = idAfter(from, to);
  }
}

/**
 * Ranges of ids one after the other, each up to what `last` says of its beginning; null or undefined ends it. Lets others
 * have their turn between two.
 *
 * @throws the signal's reason
 */
export async function* walkIds(
  signal: AbortSignal,
  last: (from: bigint) => Promise<bigint | null | undefined>,
): AsyncGenerator<IdRange> {
  for (let from: bigint | undefined = lowestId; from !== undefined; ) {
    const to = (await last(from)) ?? null;
    if (to === null) return;
    yield [from, to];
    signal.throwIfAborted();
    await yieldNow();
    from = idAfter(from, to);
  }
}
