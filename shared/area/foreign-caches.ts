import { lstatSync, readdirSync, type Stats, statSync } from "node:fs";
import { basename, join } from "node:path";
import { msSince } from "../elapsed.ts";
import { JobsError, toJobsError } from "../errors.ts";
import type { Settings } from "../settings.ts";
import type { Area } from "./area.ts";
import { configuredName } from "./area-name.ts";
import { cacheDirectories, findCache } from "./cache.ts";
import { readDottedPath } from "./dotted-path.ts";
import { mayWrite } from "./may-write.ts";
import { newestMtimeMs } from "./mtime.ts";
import { openFiles } from "./open-files.ts";
import { systemCode } from "./system-code.ts";
import { userName } from "./user-name.ts";

/** A cache on this host that may be the area's: each user and each path of the area has one of its own. */
export interface FoundCache {
  directory: string;
  megatestDb: string;
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
}

export type LacksRows = (dbPath: string, ownerUid: number) => boolean;

export interface CacheSearch {
  caches: FoundCache[];
  /** Sentences on what could not be inspected. */
  warnings: string[];
}

/** A cache that changed within this many ms is in use. */
const recentMs = 24 * 3_600_000;

/** Every cache under the cache root that may be this area's, by whatever user and path. */
export function findCaches(area: Area, settings: Settings): CacheSearch {
  const warnings: string[] = [];
  const selected = findCache(area, settings)?.directory;
  const own = cacheDirectories(area, settings);
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
    const candidates = candidatesIn(databases, area, own, problems);
    warnings.push(...problems);
    if (candidates.length === 0) continue;
    const isWriter = mayWrite(area.megatestDb, { uid, name: owner });
    caches.push(
      ...candidates.map((at) => ({
        ...inspect(at, owner, uid, at === selected),
        mayWrite: isWriter,
      })),
    );
  }
  return { caches, warnings };
}

function candidatesIn(databases: string, area: Area, own: string[], problems: string[]): string[] {
  const id = statSync(area.realPath, { bigint: true });
  const mayBeOurs = (directory: string) =>
    own.includes(directory) || readDottedPath(basename(directory), id) !== "other-area";
  // A name from the config is the same for everybody; one made of the path differs by path.
  const names = configuredName(area.config) === undefined ? list(databases, problems) : [area.name];
  return names
    .map((name) => join(databases, name))
    .filter((directory) => isDirectory(directory, problems))
    .flatMap((directory) => list(directory, problems).map((dotted) => join(directory, dotted)))
    .filter((directory) => basename(directory).startsWith(".") && mayBeOurs(directory))
    .filter((directory) => look(join(directory, "megatest.db"), problems)?.isFile() === true);
}

function inspect(
  directory: string,
  owner: string,
  ownerUid: number,
  selected: boolean,
): Omit<FoundCache, "mayWrite"> {
  const megatestDb = join(directory, "megatest.db");
  // Behind a link any file may be, which all sorts of processes have open.
  const files = ["megatest.db", "megatest.db-wal", "megatest_ref.db"]
    .map((name) => join(directory, name))
    .filter((file) => look(file, [])?.isFile() === true);
  return {
    directory,
    megatestDb,
    owner,
    ownerUid,
    mtimeMs: changedAt(directory, files),
    openBy: openBy(files, ownerUid),
    selected,
  };
}

/** Those who may enter a directory, and not list it, see what they know the name of. */
function changedAt(directory: string, files: readonly string[]): number {
  try {
    return newestMtimeMs(directory, "megatest.db") ?? 0;
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

/**
 * Makes sure that the selected pair is the only one in use: open in another process, changed within a day, or holding
 * a row that megatest.db lacks (`lacksRows`, asked last, with whose file it must be). Only caches of users who could write
 * to megatest.db count. Else throws `several-caches` naming all, and `busy` errors of `lacksRows` as they are. Returns
 * warnings on what could not be inspected.
 */
export function assertSingleCache(area: Area, settings: Settings, lacksRows: LacksRows): string[] {
  const { caches, warnings } = findCaches(area, settings);
  const used = caches.flatMap((cache) => {
    if (cache.selected || !cache.mayWrite) return [];
    const reason = useOf(cache, lacksRows, warnings);
    return reason === undefined ? [] : [{ directory: cache.directory, owner: cache.owner, reason }];
  });
  if (used.length === 0) return warnings;
  const selected = caches.find((cache) => cache.selected)?.directory;
  const others = used
    .map(({ directory, owner, reason }) => `${directory} (of ${owner}; ${reason})`)
    .join(", ");
  const message =
    selected === undefined
      ? `caches of other users or paths are in use: ${others}`
      : `besides ${selected}, in use: ${others}`;
  throw new JobsError(
    "several-caches",
    `the area has more than the one cache this job works on; ${message}`,
    {
      hint: "end the processes that use them, let Megatest sync, and remove the caches that are not needed any more",
      details: { selected: selected ?? null, inUse: used },
    },
  );
}

function useOf(cache: FoundCache, lacksRows: LacksRows, warnings: string[]): string | undefined {
  if (cache.openBy !== "unknown" && cache.openBy.length > 0)
    return `open in process ${cache.openBy.join(", ")}`;
  if (msSince(cache.mtimeMs) < recentMs) return "changed within a day";
  if (cache.openBy === "unknown") {
    warnings.push(`it cannot be seen whether a process of ${cache.owner} has ${cache.directory} open`);
  }
  try {
    return lacksRows(cache.megatestDb, cache.ownerUid) ? "holds rows that megatest.db lacks" : undefined;
  } catch (error) {
    if (error instanceof JobsError && error.code === "busy") return "it is being written to";
    // Of what is ours to mend the job says no more than that: it is not for a warning.
    if (error instanceof JobsError && error.code === "disk-full") throw error;
    // The area's own databases are locked just now: that says nothing of this cache, and passes.
    if (toJobsError(error).code === "busy") throw error;
    const reason = error instanceof JobsError ? error.message : systemCode(error) || String(error);
    warnings.push(`the cache ${cache.megatestDb} cannot be read (${reason})`);
    return undefined;
  }
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
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    report(path, error, problems);
    return undefined;
  }
}

function report(path: string, error: unknown, problems: string[]): void {
  const code = systemCode(error);
  if (!["ENOENT", "ENOTDIR"].includes(code)) problems.push(`${path} cannot be inspected (${code})`);
}
