import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type CopyOptions, copyChanges, type Trio } from "./copy-changes.ts";

/** Megatest refills the cache if megatest.db is newer by more than this, in ms. */
export const refillAfterMs = 10_000;

/** Returns true if a Megatest process that opened the cache now would overwrite it from megatest.db. */
export function isRefillDue(trio: Pick<Trio, "cacheDb" | "megatestDb">): boolean {
  return newestOf(trio.megatestDb) - newestOf(trio.cacheDb) > refillAfterMs;
}

/**
 * Overwrites ref and cache with every row of megatest.db that differs from the ref; `last_update` becomes now
 * unless it is carried.
 */
export async function refill(trio: Trio, options: CopyOptions = {}): Promise<Record<string, number>> {
  const { megatestDb, refDb, cacheDb, syncsLastUpdate } = trio;
  return copyChanges({ source: megatestDb, reference: refDb, target: cacheDb, syncsLastUpdate }, options);
}

/** Emulates a Megatest process that opens the cache. Returns null if no refill was due. */
export async function openAsMegatest(
  trio: Trio,
  options: CopyOptions = {},
): Promise<Record<string, number> | null> {
  return isRefillDue(trio) ? refill(trio, options) : null;
}

/**
 * Returns the newest modification time of all files whose names begin with the file's name: also `-shm`, an empty
 * `-wal` and `.lock`.
 */
function newestOf(file: string): number {
  const names = readdirSync(dirname(file)).filter((name) => name.startsWith(basename(file)));
  return Math.max(0, ...names.map((name) => modifiedAt(join(dirname(file), name))));
}

/** A journal may disappear before it is read. */
function modifiedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
