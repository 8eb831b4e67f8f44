import { statSync } from "node:fs";
import { join } from "node:path";
import { JobsError } from "../../errors.ts";
import type { Settings } from "../../settings/settings.ts";
import type { Area } from "../area.ts";
import { longestName } from "../config/area-name.ts";
import { type CacheLocation, checkOwnDatabase, checkOwnDirectory } from "../own-path.ts";

/** The databases that Megatest uses on the homehost instead of megatest.db. */
export interface CachePair {
  directory: string;
  megatestDb: string;
  /** State of the last sync between cache and megatest.db; undefined if missing. */
  refDb: string | undefined;
}

/**
 * Returns the possible directories of this user's cache, for the given and the resolved path.
 *
 * @throws JobsError `not-an-area` if neither fits into a directory name
 */
export function cacheDirectories(area: Area, settings: Settings): string[] {
  const base = join(settings.cacheRoot, settings.user, "megatest_localdb", area.name);
  return cacheNames(area).map((name) => join(base, name));
}

export function cacheNames({ path, realPath }: Pick<Area, "path" | "realPath">): string[] {
  const names = [...new Set([path, realPath])].map((at) => at.replaceAll("/", "."));
  const possible = names.filter((name) => Buffer.byteLength(name) <= longestName);
  if (possible.length > 0) return possible;
  throw new JobsError(
    "not-an-area",
    `the path ${path} has ${Buffer.byteLength(path)} bytes; Megatest names the cache directory after it, and a directory name has at most ${longestName}`,
    { hint: "use a shorter path to the area, such as a symbolic link" },
  );
}

/**
 * Returns this user's cache, of two the one changed last. Never creates one.
 *
 * @throws JobsError `not-owner` if another user could have put it there: see `checkOwnDirectory`
 */
export function findCache(area: Area, settings: Settings): CachePair | undefined {
  const pairs = cacheDirectories(area, settings)
    .map((directory) => cacheAt(directory, settings))
    .filter((pair) => pair !== undefined);
  return pairs.sort((a, b) => changed(b) - changed(a))[0];
}

/** Returns the pair in a directory. Throws as `findCache`. */
export function cacheAt(directory: string, place: CacheLocation): CachePair | undefined {
  const megatestDb = join(directory, "megatest.db");
  const refDb = join(directory, "megatest_ref.db");
  // The directories matter only if the database exists.
  if (!checkOwnDatabase(place, megatestDb)) return undefined;
  checkOwnDirectory(place, directory);
  return { directory, megatestDb, refDb: checkOwnDatabase(place, refDb) ? refDb : undefined };
}

/** Includes the log: in WAL mode the database file changes only at checkpoints. */
function changed({ megatestDb }: CachePair): number {
  const times = ["", "-wal"].map(
    (suffix) => statSync(megatestDb + suffix, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  return Math.max(...times);
}
