import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type CopyOptions, copyChanges, type Trio } from "./copy-changes.ts";

/** By how much megatest.db must be newer than the cache before Megatest refills the cache from it, in ms. */
export const refillAfterMs = 10_000;

/** True where a Megatest process that opens the cache now would overwrite it from megatest.db. */
export function isRefillDue(trio: Pick<Trio, "cacheDb" | "megatestDb">): boolean {
  return newestOf(trio.megatestDb) - newestOf(trio.cacheDb) > refillAfterMs;
}

/** Overwrites ref and cache with every row of megatest.db that differs from the ref; `last_update` becomes now unless it is carried. */
export async function refill(trio: Trio, options: CopyOptions = {}): Promise<Record<string, number>> {
  const { megatestDb, refDb, cacheDb, syncsLastUpdate } = trio;
  return copyChanges({ source: megatestDb, reference: refDb, target: cacheDb, syncsLastUpdate }, options);
}

/** What a Megatest process does as it opens the cache. Returns null where no refill was due. */
export async function openAsMegatest(
  trio: Trio,
  options: CopyOptions = {},
): Promise<Record<string, number> | null> {
  return isRefillDue(trio) ? refill(trio, options) : null;
}

/** The newest modification of the file and of all beside it whose names begin with its own: `-shm`, an empty `-wal` and `.lock` too. */
function newestOf(file: string): number {
  const names = readdirSync(dirname(file)).filter((name) => name.startsWith(basename(file)));
  return Math.max(0, ...names.map((name) => modifiedAt(join(dirname(file), name))));
}

/** A journal may be gone by the time we look. */
function modifiedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
