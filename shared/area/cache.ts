import { statSync } from "node:fs";
import { join } from "node:path";
import { JobsError } from "../errors.ts";
import type { Settings } from "../settings.ts";
import type { Area } from "./area.ts";
import { longestName } from "./area-name.ts";
import { type CachePlace, checkOwnDatabase, checkOwnDirectory } from "./own-path.ts";

/** The databases that Megatest reads and writes on the homehost in place of megatest.db. */
export interface CachePair {
  directory: string;
  megatestDb: string;
  /** What cache and megatest.db last agreed on; undefined where it is missing. */
  refDb: string | undefined;
}

/**
 * Where this user's cache of the area may be: for the path as given and, where it differs, as resolved.
 *
 * @throws JobsError `not-an-area` where no directory can have the name of either
 */
export function cacheDirectories(area: Area, settings: Settings): string[] {
  const base = join(settings.cacheRoot, settings.user, "megatest_localdb", area.name);
  return cacheNames(area).map((name) => join(base, name));
}

/** The names of its caches' directories. Throws as `cacheDirectories`. */
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
 * This user's cache; of two the one that changed last. Undefined where there is none; none is ever created here.
 *
 * @throws JobsError `not-owner` where somebody else could have put it there: see `checkOwnDirectory`
 */
export function findCache(area: Area, settings: Settings): CachePair | undefined {
  const pairs = cacheDirectories(area, settings)
    .map((directory) => cacheAt(directory, settings))
    .filter((pair) => pair !== undefined);
  return pairs.sort((a, b) => changed(b) - changed(a))[0];
}

/** The pair in a directory; undefined without a megatest.db. Throws as `findCache`. */
export function cacheAt(directory: string, place: CachePlace): CachePair | undefined {
  const megatestDb = join(directory, "megatest.db");
  const refDb = join(directory, "megatest_ref.db");
  // By whatever way: nobody needs to care for the way to a place where nothing is.
  if (!checkOwnDatabase(place, megatestDb)) return undefined;
  checkOwnDirectory(place, directory);
  return { directory, megatestDb, refDb: checkOwnDatabase(place, refDb) ? refDb : undefined };
}

/** In WAL mode the database itself changes only at checkpoints. */
function changed({ megatestDb }: CachePair): number {
  const times = ["", "-wal"].map(
    (suffix) => statSync(megatestDb + suffix, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  return Math.max(...times);
}
