import { existsSync, lstatSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Area } from "../../../shared/area/area.ts";
import { type CachePair, cacheAt, cacheDirectories, findCache } from "../../../shared/area/cache/cache.ts";
import { openFiles } from "../../../shared/area/cache/open-files.ts";
import { isOwnDirectory } from "../../../shared/area/own-path.ts";
import { createLike } from "../../../shared/area/ownership.ts";
import { defined } from "../../../shared/defined.ts";
import { systemCode } from "../../../shared/errors.ts";
import { syncDirectory } from "../../../shared/files/sync-directory.ts";
import type { Settings } from "../../../shared/settings/settings.ts";
import { openReadonly } from "../../area-db/open-readonly.ts";
import { type ClosedMark, isUntouched, type PairPart, readClosed } from "./closed.ts";
import { syncFile } from "./copy-database.ts";
import { ensureCacheDirectory } from "./pair-guard.ts";

export const pairNames = { cache: "megatest.db", ref: "megatest_ref.db" } as const;

const sidecars = ["-journal", "-wal", "-shm"];

export interface PairMark {
  /** Undefined if the cache is open. */
  mark: ClosedMark | undefined;
  /** Neither file was written to since it was closed. */
  untouched: boolean;
  /** The same of the cache only: a step that died may have written to the ref. */
  cacheUntouched: boolean;
  /** One migration closed both, so the ref matches this cache. */
  isRefOfCache: boolean;
}

export interface PairDirectory extends PairMark {
  directory: string;
  standing: CachePair | undefined;
}

const open: PairMark = { mark: undefined, untouched: false, cacheUntouched: false, isRefOfCache: false };

/** Finds where this host's Megatest expects the cache. Creates nothing. */
export function findPairDirectory(area: Area, settings: Settings): PairDirectory {
  const standing = findCache(area, settings);
  const [first] = cacheDirectories(area, settings);
  if (first === undefined) throw new TypeError("an area has a directory for its cache");
  return standing === undefined
    ? { directory: first, standing, ...open }
    : { directory: standing.directory, standing, ...readMark(standing) };
}

export function readMark(pair: CachePair): PairMark {
  const db = openReadonly(defined({ cache: pair.megatestDb, ref: pair.refDb }));
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

/** Creates the directory, checking each on its path. */
export function makePairDirectory(settings: Settings, { directory }: PairDirectory): string {
  return ensureCacheDirectory(settings, basename(join(directory, "..")), basename(directory));
}

export function temporaryFile(directory: string, token: number, part: PairPart): string {
  return join(directory, `.mtjobs-${token}-${pairNames[part]}`);
}

/** Marks a pair that existed before this migration wrote to it. */
export function reusedNote(directory: string, token: number): string {
  return join(directory, `.mtjobs-${token}-reused`);
}

const ownName = /^\.mtjobs-(\d+|new)-/;

/** Returns true if a migration left files here. */
export function hasOwnFiles(directory: string): boolean {
  return listNames(directory).some((name) => ownName.test(name));
}

/** Removes files that this migration (any, without a token) put next to a pair. Only under the guard. */
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

/** Removes sidecar files: a leftover journal would be rolled back into the next database of that name. */
export function removeSidecars(file: string): void {
  for (const suffix of sidecars) rmSync(file + suffix, { force: true });
  // Durably: a power cut must not bring one back.
  syncDirectory(dirname(file));
}

/** Marks databases as complete, so that Megatest does not create them again. */
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
 * Removes a pair unless another process has it open, which would keep writing to files that are never read. Only
 * under the guard. Returns whether it was removed.
 */
export function removePair(directory: string): boolean {
  const files = Object.values(pairNames).map((name) => join(directory, name));
  const open = openFiles(files.flatMap((file) => [file, ...sidecars.map((suffix) => file + suffix)]));
  if (open !== "unknown" && open.pids.some((pid) => pid !== process.pid)) return false;
  for (const name of Object.values(pairNames)) rmSync(readyMark(directory, name), { force: true });
  for (const file of files) {
    rmSync(file, { force: true });
    // Also syncs the directory.
    removeSidecars(file);
  }
  return true;
}

/** Returns true if all files are empty, as Megatest leaves them when it only reads or dies. */
export function isEmptyPair({ directory }: Pick<CachePair, "directory">): boolean {
  const files = Object.values(pairNames).flatMap((name) =>
    ["", "-journal", "-wal"].map((suffix) => join(directory, name + suffix)),
  );
  return files.every((file) => (lstatSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0);
}

export function removeIfEmpty(directory: string): void {
  try {
    if (lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) rmdirSync(directory);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST"].includes(systemCode(error))) throw error;
  }
}

/**
 * Returns this user's possible pairs of the area, with their directories. Skips empty directories that other users
 * own or may replace.
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
