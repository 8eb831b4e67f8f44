import { existsSync, lstatSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Area } from "../../shared/area/area.ts";
import { type CachePair, cacheAt, cacheDirectories, findCache } from "../../shared/area/cache.ts";
import { openFiles } from "../../shared/area/open-files.ts";
import { isOwnDirectory } from "../../shared/area/own-path.ts";
import { createLike } from "../../shared/area/ownership.ts";
import { syncDirectory } from "../../shared/area/sync-directory.ts";
import { systemCode } from "../../shared/area/system-code.ts";
import type { Settings } from "../../shared/settings.ts";
import { openQuietly } from "../move/open-quietly.ts";
import { type ClosedMark, isUntouched, type PairPart, readClosed } from "./closed.ts";
import { syncFile } from "./copy-database.ts";
import { ensureCacheDirectory } from "./pair-guard.ts";

/** Names of a pair's files, by part, as Megatest has them. */
export const pairNames = { cache: "megatest.db", ref: "megatest_ref.db" } as const;

/** What SQLite puts beside a database. */
const sidecars = ["-journal", "-wal", "-shm"];

/** What the databases of a pair say about their being closed. */
export interface PairMark {
  /** Of the cache; undefined where it is open. */
  mark: ClosedMark | undefined;
  /** Nobody can have written to either file since it was closed. */
  untouched: boolean;
  /** The same of the cache alone: a part that died while it installed a pair may have written to the ref. */
  cacheUntouched: boolean;
  /** One migration closed both: the ref holds what this cache had agreed on with megatest.db. False without a ref. */
  isRefOfCache: boolean;
}

/** Where a pair goes on this host, and what stands there. */
export interface PairPlace extends PairMark {
  directory: string;
  standing: CachePair | undefined;
}

const open: PairMark = { mark: undefined, untouched: false, cacheUntouched: false, isRefOfCache: false };

/** Where this host's Megatest looks for the area's cache. Opens what stands there, and makes nothing. */
export function findPlace(area: Area, settings: Settings): PairPlace {
  const standing = findCache(area, settings);
  const [first] = cacheDirectories(area, settings);
  if (first === undefined) throw new TypeError("an area has a directory for its cache");
  return standing === undefined
    ? { directory: first, standing, ...open }
    : { directory: standing.directory, standing, ...readMark(standing) };
}

/** What the databases of a pair say about their being closed. */
export function readMark(pair: CachePair): PairMark {
  const db = openQuietly({
    cache: pair.megatestDb,
    ...(pair.refDb === undefined ? {} : { ref: pair.refDb }),
  });
  try {
    const mark = readClosed(db, "cache");
    const cacheUntouched = isUntouched(db, "cache");
    const hasRef = pair.refDb !== undefined;
    const untouched = cacheUntouched && (!hasRef || isUntouched(db, "ref"));
    const isRefOfCache = hasRef && mark !== undefined && readClosed(db, "ref")?.token === mark.token;
    return { mark, untouched, cacheUntouched, isRefOfCache };
  } finally {
    db.close();
  }
}

/** Makes the directory, each on the way to it checked, and returns it. */
export function makePlace(settings: Settings, { directory }: PairPlace): string {
  return ensureCacheDirectory(settings, basename(join(directory, "..")), basename(directory));
}

/** Where a part is put together before it stands in its place. */
export function temporaryFile(directory: string, token: number, part: PairPart): string {
  return join(directory, `.mtjobs-${token}-${pairNames[part]}`);
}

/** Stands beside a pair that was there before this migration wrote into it. */
export function reusedNote(directory: string, token: number): string {
  return join(directory, `.mtjobs-${token}-reused`);
}

const ownName = /^\.mtjobs-(\d+|new)-/;

/** True where some migration has put something beside a pair. */
export function hasOwnFiles(directory: string): boolean {
  return listNames(directory).some((name) => ownName.test(name));
}

/** Removes what migrations put beside a pair: this one, or without a token any; but for the file `kept`. Only under the guard. */
export function removeOwnFiles(directory: string, token?: number, kept?: string): void {
  const own = token === undefined ? ownName : new RegExp(`^\\.mtjobs-${token}-`);
  const files = listNames(directory).flatMap((name) => (own.test(name) ? [join(directory, name)] : []));
  for (const file of files) if (file !== kept) rmSync(file, { force: true });
}

function listNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error))) return [];
    throw error;
  }
}

/** A journal that outlived its database would be rolled back into the next one of its name. */
export function removeSidecars(file: string): void {
  for (const suffix of sidecars) rmSync(file + suffix, { force: true });
  // None may come back by a power cut, either.
  syncDirectory(dirname(file));
}

/** Says beside each database that it is whole, so that no Megatest makes it anew. */
export function writeReadyMarks(directory: string, model: string): void {
  for (const name of Object.values(pairNames)) {
    if (!existsSync(join(directory, name))) continue;
    const mark = readyMark(directory, name);
    createLike(mark, model, "database initialised\n");
    syncFile(mark);
  }
}

function readyMark(directory: string, name: string): string {
  return join(directory, `.ready-${basename(name, ".db")}`);
}

/**
 * Removes a pair with all that belongs to it, unless another process has it open: then nothing, for it would go on
 * writing where nobody reads. Only under the guard. Returns whether it is gone.
 */
export function removePair(directory: string): boolean {
  const files = Object.values(pairNames).map((name) => join(directory, name));
  const open = openFiles(files.flatMap((file) => [file, ...sidecars.map((suffix) => file + suffix)]));
  if (open !== "unknown" && open.pids.some((pid) => pid !== process.pid)) return false;
  for (const name of Object.values(pairNames)) rmSync(readyMark(directory, name), { force: true });
  for (const file of files) {
    rmSync(file, { force: true });
    // Syncs the directory, too.
    removeSidecars(file);
  }
  return true;
}

/**
 * True for a pair without a byte in any of its files: a Megatest that was looking, or died, made it, and nothing was ever in it.
 * Whether a process has it open is for `removePair` to see.
 */
export function isEmptyPair({ directory }: Pick<CachePair, "directory">): boolean {
  const files = Object.values(pairNames).flatMap((name) =>
    ["", "-journal", "-wal"].map((suffix) => join(directory, name + suffix)),
  );
  return files.every((file) => (lstatSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0);
}

/** Removes a directory where nothing is left in it. */
export function removeIfEmpty(directory: string): void {
  try {
    if (lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) rmdirSync(directory);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST"].includes(systemCode(error))) throw error;
  }
}

/**
 * The pairs of this area that this user may have on this host, with their directories; one that is another user's, or that
 * others may exchange, is left out where it holds no pair.
 *
 * @throws JobsError `not-owner` as `findCache`
 */
export function ownPairs(
  area: Area,
  settings: Settings,
): { directory: string; pair: CachePair | undefined }[] {
  return cacheDirectories(area, settings)
    .map((directory) => ({ directory, pair: cacheAt(directory, settings) }))
    .filter(({ directory, pair }) => pair !== undefined || isOwnDirectory(settings, directory));
}
