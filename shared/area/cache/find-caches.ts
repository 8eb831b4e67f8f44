import { lstatSync, readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { systemCode } from "../../errors.ts";
import type { Settings } from "../../settings/settings.ts";
import type { Area } from "../area.ts";
import { configuredName } from "../config/area-name.ts";
import { mayWrite } from "../may-write.ts";
import { userName } from "../user-name.ts";
import { cacheDirectories, cacheNames, findCache } from "./cache.ts";
import { type DottedReading, readDottedPath } from "./dotted-path.ts";
import { newestMtimeMs } from "./mtime.ts";
import { openFiles } from "./open-files.ts";

/** A cache on this host that may be the area's; each user and each path has its own. */
export interface FoundCache {
  /** As its user names it; links are only read. */
  directory: string;
  /** With links resolved; the ref may not exist. */
  megatestDb: string;
  refDb: string;
  owner: string;
  ownerUid: number;
  /** False if that user cannot write to megatest.db: such a cache can never be synced, and is ignored. */
  mayWrite: boolean;
  /** Newest change, ms since 1970. */
  mtimeMs: number;
  /** Other processes that have it open; `"unknown"` if some of its owner's cannot be seen or inspected. */
  openBy: number[] | "unknown";
  /** The pair that these settings select. */
  selected: boolean;
  /** What its name can stand for; `"same"` is the area's path. */
  reading: Exclude<DottedReading, "other-area">;
  /**
   * If no cache is selected: the other name under which this one, by exactly the area's path, was found; null if that
   * is not UTF-8, so that mtjobs cannot open it.
   */
  otherName: string | null | undefined;
}

export interface CacheSearch {
  caches: FoundCache[];
  /** What could not be inspected. */
  warnings: string[];
}

/** Finds caches that may be this area's, of any user and path; if the selected one does not exist, under any name. */
export function findCaches(area: Area, settings: Settings): CacheSearch {
  const warnings: string[] = [];
  const selected = findCache(area, settings)?.directory;
  const own = cacheDirectories(area, settings);
  const selectedFile = selected === undefined ? undefined : identityOf(join(selected, "megatest.db"));
  const caches: FoundCache[] = [];
  for (const owner of list(settings.cacheRoot, warnings)) {
    const problems: string[] = [];
    const databases = join(settings.cacheRoot, owner, "megatest_localdb");
    // First: anyone can create many entries, which take long to parse.
    if (!isDirectory(databases, problems) && problems.length === 0) continue;
    const uid = lstatSync(join(settings.cacheRoot, owner), { throwIfNoEntry: false })?.uid;
    // Anyone can create a directory with another user's name. Looked up by number, so that many directories need one
    // lookup.
    if (uid === undefined || (owner !== settings.user && userName(uid) !== owner)) continue;
    const search = { area, own, everyName: selected === undefined };
    const candidates = candidatesIn(databases, search, problems);
    warnings.push(...problems);
    if (candidates.length === 0) continue;
    const isWriter = mayWrite(area.megatestDb, { uid, name: owner });
    const found = candidates.map(({ directory, ...rest }) => ({
      ...inspect(directory, owner, uid, directory === selected),
      mayWrite: isWriter,
      ...rest,
    }));
    // By a link it may be the selected pair.
    const isSelected = ({ megatestDb }: FoundCache) =>
      selectedFile !== undefined && identityOf(megatestDb) === selectedFile;
    caches.push(...found.filter((cache) => cache.selected || !isSelected(cache)));
  }
  return { caches, warnings };
}

type Candidate = Pick<FoundCache, "directory" | "reading" | "otherName">;

interface Search {
  area: Area;
  own: string[];
  everyName: boolean;
}

function candidatesIn(databases: string, { area, own, everyName }: Search, problems: string[]): Candidate[] {
  const id = statSync(area.realPath, { bigint: true });
  const read = (directory: string): DottedReading =>
    own.includes(directory) ? "same" : readDottedPath(basename(directory), id);
  // A configured name is the same for all users.
  const isNamed = configuredName(area.config) !== undefined;
  const exact = cacheNames(area);
  const names = isNamed && !everyName ? [area.name] : list(databases, problems);
  const found = names
    .map((name) => join(databases, name))
    .filter((directory) => isDirectory(directory, problems))
    .flatMap((directory) => list(directory, problems).map((dotted) => join(directory, dotted)))
    .filter((directory) => basename(directory).startsWith("."))
    .flatMap((directory): Candidate[] => {
      const name = basename(dirname(directory));
      const isOther = everyName && name !== area.name && exact.includes(basename(directory));
      if (isNamed && name !== area.name && !isOther) return [];
      const reading = read(directory);
      return reading === "other-area" ? [] : [{ directory, reading, otherName: isOther ? name : undefined }];
    })
    .filter(({ directory }) => statOf(join(directory, "megatest.db"), problems)?.isFile() === true);
  return everyName ? [...found, ...unreadableIn(databases, exact)] : found;
}

/** Finds caches by the area's path below names that are not UTF-8. */
function unreadableIn(databases: string, exact: readonly string[]): Candidate[] {
  return listBytes(databases)
    .filter((name) => !Buffer.from(name.toString()).equals(name))
    .flatMap((name) => exact.map((dotted) => ({ name, dotted })))
    .filter(({ name, dotted }) => {
      const below = [`${databases}/`, name, `/${dotted}/megatest.db`].map((piece) => Buffer.from(piece));
      return (statOfBytes(Buffer.concat(below))?.size ?? 0) > 0;
    })
    .map(({ name, dotted }) => ({
      directory: join(databases, name.toString(), dotted),
      reading: "same",
      otherName: null,
    }));
}

function listBytes(directory: string): Buffer[] {
  try {
    return readdirSync(directory, { encoding: "buffer" });
  } catch {
    return []; // the listing as text reports it
  }
}

function statOfBytes(path: Buffer): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function inspect(
  directory: string,
  owner: string,
  ownerUid: number,
  selected: boolean,
): Omit<FoundCache, "mayWrite" | "reading" | "otherName"> {
  const megatestDb = realFile(join(directory, "megatest.db"));
  const refDb = realFile(join(directory, "megatest_ref.db"));
  const files = [megatestDb, `${megatestDb}-wal`, refDb].filter(
    (file) => statOf(file, [])?.isFile() === true,
  );
  return {
    directory,
    megatestDb,
    refDb,
    owner,
    ownerUid,
    mtimeMs: changedAt(megatestDb, files),
    openBy: openBy(files, ownerUid),
    selected,
  };
}

function realFile(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}

function identityOf(path: string): string | undefined {
  const stat = statOf(path, []);
  return stat && `${stat.dev}:${stat.ino}`;
}

/** Checks only known names without permission to list the directory. */
function changedAt(megatestDb: string, files: readonly string[]): number {
  try {
    return newestMtimeMs(dirname(megatestDb), basename(megatestDb)) ?? 0;
  } catch {
    return Math.max(0, ...files.map((file) => statOf(file, [])?.mtimeMs ?? 0));
  }
}

function openBy(files: string[], ownerUid: number): number[] | "unknown" {
  const open = openFiles(files);
  if (open === "unknown") return "unknown";
  const pids = open.pids.filter((pid) => pid !== process.pid);
  const hidden = open.hostHidden || (open.othersHidden && ownerUid !== process.geteuid?.());
  const unseen = hidden || open.uninspected.some(({ uid }) => uid === ownerUid);
  return pids.length === 0 && unseen ? "unknown" : pids;
}

/** Returns the maximum bytes of a cache that Megatest could have made; larger ones are not read. */
export function largestCache({ megatestDb, completedDb }: Area): number {
  const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return 2 * (sizeOf(megatestDb) + sizeOf(completedDb)) + 2 ** 30;
}

function list(directory: string, problems: string[]): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    report(directory, error, problems);
    return [];
  }
}

function isDirectory(path: string, problems: string[]): boolean {
  return statOf(path, problems)?.isDirectory() === true;
}

function statOf(path: string, problems: string[]): Stats | undefined {
  try {
    // Nothing is written through links, and files are checked before they are read.
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    report(path, error, problems);
    return undefined;
  }
}

function report(path: string, error: unknown, problems: string[]): void {
  const code = systemCode(error);
  if (!["ENOENT", "ENOTDIR"].includes(code)) problems.push(`${path} cannot be inspected (${code})`);
}
