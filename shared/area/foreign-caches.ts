import { lstatSync, readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Settings } from "../settings.ts";
import type { Area } from "./area.ts";
import { configuredName } from "./area-name.ts";
import { cacheDirectories, cacheNames, findCache } from "./cache.ts";
import { type DottedReading, readDottedPath } from "./dotted-path.ts";
import { mayWrite } from "./may-write.ts";
import { newestMtimeMs } from "./mtime.ts";
import { openFiles } from "./open-files.ts";
import { systemCode } from "./system-code.ts";
import { userName } from "./user-name.ts";

/** A cache on this host that may be the area's: each user and each path of the area has one of its own. */
export interface FoundCache {
  /** As its user names it; links in it are followed, to look only. */
  directory: string;
  /** Its database and that one's ref (which may not be there), with links resolved. */
  megatestDb: string;
  refDb: string;
  /** Name and number of the user it belongs to. */
  owner: string;
  ownerUid: number;
  /** False where that user could not write to megatest.db: what is in such a cache can never be synced, and it does not count. */
  mayWrite: boolean;
  /** Newest change of its `megatest.db*`, ms since 1970. */
  mtimeMs: number;
  /** Other processes that have it open; `"unknown"` where none is seen, but some of its owner's cannot be inspected. */
  openBy: number[] | "unknown";
  /** True for the pair that these settings select. */
  selected: boolean;
  /** What its name can stand for on this host: `"same"` is the area's path. Another area's that exists is left out. */
  reading: Exclude<DottedReading, "other-area">;
  /**
   * Of one by the area's very path, where these settings select none: the other name of the area that it stands under;
   * null where that is not UTF-8, so that only a program that takes bytes can open it. Else undefined.
   */
  otherName: string | null | undefined;
}

export interface CacheSearch {
  caches: FoundCache[];
  /** Sentences on what could not be inspected. */
  warnings: string[];
}

/**
 * Every cache under the cache root that may be this area's, by whatever user and path. By whatever name too, where the one
 * that these settings select is not there: the area may have another name to Megatest than to us.
 */
export function findCaches(area: Area, settings: Settings): CacheSearch {
  const warnings: string[] = [];
  const selected = findCache(area, settings)?.directory;
  const own = cacheDirectories(area, settings);
  const selectedFile = selected === undefined ? undefined : identityOf(join(selected, "megatest.db"));
  const caches: FoundCache[] = [];
  for (const owner of list(settings.cacheRoot, warnings)) {
    const problems: string[] = [];
    const databases = join(settings.cacheRoot, owner, "megatest_localdb");
    // Its owner first: to read many odd names takes long, and anybody can make them.
    if (!isDirectory(databases, problems) && problems.length === 0) continue;
    const uid = lstatSync(join(settings.cacheRoot, owner), { throwIfNoEntry: false })?.uid;
    // Anybody can make a directory with somebody's name: only the user of that name keeps a cache there. Asked by number,
    // so that a hundred directories of one user cost one question.
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
    // By a link it may be the selected pair under another name.
    const isSelected = ({ megatestDb }: FoundCache) =>
      selectedFile !== undefined && identityOf(megatestDb) === selectedFile;
    caches.push(...found.filter((cache) => cache.selected || !isSelected(cache)));
  }
  return { caches, warnings };
}

type Candidate = Pick<FoundCache, "directory" | "reading" | "otherName">;

interface Search {
  area: Area;
  /** Where this user's cache may be. */
  own: string[];
  everyName: boolean;
}

function candidatesIn(databases: string, { area, own, everyName }: Search, problems: string[]): Candidate[] {
  const id = statSync(area.realPath, { bigint: true });
  const read = (directory: string): DottedReading =>
    own.includes(directory) ? "same" : readDottedPath(basename(directory), id);
  // A name from the config is the same for everybody; one made of the path differs by path.
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
    .filter(({ directory }) => look(join(directory, "megatest.db"), problems)?.isFile() === true);
  return everyName ? [...found, ...unreadableIn(databases, exact)] : found;
}

/** Caches by the area's path, below names that a text of ours cannot hold. */
function unreadableIn(databases: string, exact: readonly string[]): Candidate[] {
  return listBytes(databases)
    .filter((name) => !Buffer.from(name.toString()).equals(name))
    .flatMap((name) => exact.map((dotted) => ({ name, dotted })))
    .filter(({ name, dotted }) => {
      const below = [`${databases}/`, name, `/${dotted}/megatest.db`].map((part) => Buffer.from(part));
      return (lookAtBytes(Buffer.concat(below))?.size ?? 0) > 0;
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
    return []; // told by who lists it as text
  }
}

function lookAtBytes(path: Buffer): Stats | undefined {
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
  const files = [megatestDb, `${megatestDb}-wal`, refDb].filter((file) => look(file, [])?.isFile() === true);
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

/** With links resolved; as it is where nothing is there. */
function realFile(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}

function identityOf(path: string): string | undefined {
  const stat = look(path, []);
  return stat && `${stat.dev}:${stat.ino}`;
}

/** Those who may enter a directory, and not list it, see what they know the name of. */
function changedAt(megatestDb: string, files: readonly string[]): number {
  try {
    return newestMtimeMs(dirname(megatestDb), basename(megatestDb)) ?? 0;
  } catch {
    return Math.max(0, ...files.map((file) => look(file, [])?.mtimeMs ?? 0));
  }
}

function openBy(files: string[], ownerUid: number): number[] | "unknown" {
  const open = openFiles(files);
  if (open === "unknown") return "unknown";
  const pids = open.pids.filter((pid) => pid !== process.pid);
  const hidden = open.othersHidden && ownerUid !== process.geteuid?.();
  const unseen = hidden || open.uninspected.some(({ uid }) => uid === ownerUid);
  return pids.length === 0 && unseen ? "unknown" : pids;
}

/** The largest, in bytes, that another user's cache of the area can have become by Megatest's doing; what is larger is not read. */
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
  return look(path, problems)?.isDirectory() === true;
}

function look(path: string, problems: string[]): Stats | undefined {
  try {
    // A cache behind a link is a cache. Nothing is written there, and what is read is looked at first.
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
