import { lstatSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { JobsError } from "../errors.ts";
import type { Settings } from "../settings.ts";
import type { Area } from "./area.ts";
import { systemCode } from "./system-code.ts";

/** The databases that Megatest reads and writes on the homehost in place of megatest.db. */
export interface CachePair {
  directory: string;
  megatestDb: string;
  /** What cache and megatest.db last agreed on; undefined where it is missing. */
  refDb: string | undefined;
}

/** Where this user's cache of the area may be: for the path as given and, where it differs, as resolved. */
export function cacheDirectories(area: Area, settings: Settings): string[] {
  const base = join(settings.cacheRoot, settings.user, "megatest_localdb", area.name);
  return [...new Set([area.path, area.realPath])].map((path) => join(base, path.replaceAll("/", ".")));
}

/** This user's cache; of two the one that changed last. Undefined where there is none; none is ever created here. */
export function findCache(area: Area, settings: Settings): CachePair | undefined {
  const pairs = cacheDirectories(area, settings)
    .map(cacheAt)
    .filter((pair) => pair !== undefined);
  return pairs.sort((a, b) => changed(b) - changed(a))[0];
}

/** The pair in a directory; undefined without a megatest.db. A link or anything but a file in its place is `not-owner`. */
export function cacheAt(directory: string): CachePair | undefined {
  const megatestDb = join(directory, "megatest.db");
  const refDb = join(directory, "megatest_ref.db");
  if (!isDatabase(megatestDb)) return undefined;
  return { directory, megatestDb, refDb: isDatabase(refDb) ? refDb : undefined };
}

function isDatabase(path: string): boolean {
  let stat: Stats | undefined;
  try {
    stat = lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw new JobsError("not-owner", `${path} cannot be looked at (${systemCode(error)})`, {
      cause: error,
      hint: "run mtjobs as the user whose cache it is, and set MTJOBS_USER to that user's name",
    });
  }
  if (stat === undefined || stat.isFile()) return stat !== undefined;
  // Everybody may write to /tmp: a link there may lead anywhere.
  throw new JobsError("not-owner", `${path} is not a regular file`, {
    hint: "see who put it there, and remove it",
  });
}

/** In WAL mode the database itself changes only at checkpoints. */
function changed({ megatestDb }: CachePair): number {
  const times = ["", "-wal"].map(
    (suffix) => statSync(megatestDb + suffix, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  return Math.max(...times);
}
