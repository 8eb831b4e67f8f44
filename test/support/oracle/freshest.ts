import type { Row } from "./rows.ts";

/**
 * The rule for the authoritative copy of a row, written independently of the code under test. The ref is the common
 * ancestor: a cache row that differs from it has changed since the last sync.
 */

export interface Freshest {
  row: Row;
  source: "cache" | "megatest.db";
  /** Valid values of `last_update`; the sync does not carry it, so a row in both databases has two. */
  lastUpdates: readonly string[];
  /** The superseded version, which must be kept; undefined if it was only an older state of the winner. */
  loser: Row | undefined;
}

/** The same row in each database; the ref's may be missing while the others exist. */
export interface Copies {
  cache: Row | undefined;
  ref: Row | undefined;
  area: Row | undefined;
}

/** @param carried columns of the sync, without `id` */
export function freshest(copies: Copies, carried: readonly string[]): Freshest | undefined {
  const { cache, ref, area } = copies;
  if (cache === undefined) return area && only(area, "megatest.db");
  if (area === undefined) return only(cache, "cache");
  const columns = carried.filter((name) => cache.has(name) && area.has(name));
  const whole = new Map([...area, ...cache]);
  if (same(cache, area, columns))
    return { ...only(whole, "cache"), lastUpdates: [cache.get("last_update") ?? "n"] };
  const cacheChanged = ref === undefined || !same(cache, ref, columns);
  if (cacheChanged) {
    const areaChanged = ref === undefined || !same(area, ref, columns);
    return { ...only(whole, "cache"), loser: areaChanged ? area : undefined };
  }
  if (!isLater(area, ref)) return { ...only(whole, "cache"), loser: area };
  const merged = new Map(whole);
  for (const name of columns) merged.set(name, area.get(name) ?? "n");
  const lastUpdates = [area, cache].map((row) => row.get("last_update") ?? "n");
  return { row: merged, source: "megatest.db", lastUpdates, loser: cache };
}

export function same(a: Row, b: Row, columns: readonly string[]): boolean {
  return columns.every((name) => a.get(name) === b.get(name));
}

/** Returns true if the first row was written by a later sync, or by hand after the sync that wrote the second. */
export function isLater(a: Row, b: Row): boolean {
  const [first, second] = [a.get("last_update"), b.get("last_update")];
  if (!first?.startsWith("i:") || !second?.startsWith("i:")) return false;
  return BigInt(first.slice(2)) > BigInt(second.slice(2));
}

function only(row: Row, source: Freshest["source"]): Freshest {
  return { row, source, lastUpdates: [row.get("last_update") ?? "n"], loser: undefined };
}
