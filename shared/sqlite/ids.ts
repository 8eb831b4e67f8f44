import { setImmediate as yieldNow } from "node:timers/promises";
import type Database from "better-sqlite3";
import { JobsError } from "../errors.ts";
import { type Connection, prepared } from "./connection.ts";
import { highestId, lowestId } from "./run-id.ts";

// Ids are always bigints: as a JavaScript number, an id beyond 2^53 would become another row's.

/** `prepared` for a statement whose one column holds ids. */
export function preparedIds<Parameters extends unknown[] | object = unknown[], Id = bigint>(
  db: Connection,
  sql: string,
): Database.Statement<Parameters extends unknown[] ? Parameters : [Parameters], Id> {
  const statement = prepared<Parameters, Id>(db, sql);
  // Their types lose the parameters.
  statement.safeIntegers();
  statement.pluck();
  return statement;
}

/** Formats ids for `json_each`. */
export function idList(ids: Iterable<bigint | number | string>): string {
  return `[${Array.from(ids, BigInt).join(",")}]`;
}

/** `table` includes its database. */
export function largestId(db: Connection, table: string): bigint | undefined {
  return preparedIds<[], bigint | null>(db, `SELECT max(id) FROM ${table}`).get() ?? undefined;
}

export function smallestId(db: Connection, table: string): bigint | undefined {
  return preparedIds<[], bigint | null>(db, `SELECT min(id) FROM ${table}`).get() ?? undefined;
}

/** SQL: as `shownId`. */
export const shownIdSql = (value: string): string =>
  `iif(${value} BETWEEN ${Number.MIN_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER}, ${value}, CAST(${value} AS TEXT))`;

export type IdRange = readonly [from: bigint, to: bigint];

/** SQL with one parameter: the last of the next `limit` ids from that value on; NULL if there are none. */
export const lastOfNext = (table: string, limit: number): string =>
  `SELECT max(id) FROM (SELECT id FROM ${table} WHERE id >= ? ORDER BY id LIMIT ${limit})`;

/**
 * Returns where a scan continues after the ids `from` to `to`; undefined at the end.
 *
 * @throws JobsError `internal` if it would not advance
 */
export function idAfter(from: bigint, to: bigint): bigint | undefined {
  if (to < from) throw new JobsError("internal", `a scan of ids went back from ${from} to ${to}`);
  return to >= highestId ? undefined : to + 1n;
}

/** `table` includes its database. */
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
 * Yields ranges up to `last` of their start, letting other tasks run in between.
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
