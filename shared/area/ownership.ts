import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  type Stats,
  statSync,
} from "node:fs";
import { JobsError } from "../errors.ts";
import type { Settings } from "../settings.ts";
import type { Area } from "./area.ts";
import type { CachePair } from "./cache.ts";
import { syncDirectory } from "./sync-directory.ts";
import { systemCode } from "./system-code.ts";

/**
 * Refuses (`not-owner`) unless this process may read and write the area's database and directory, and the cache, as
 * the user who owns them (root may, too): another user's journal beside a database locks its owner out.
 * Looks only at owners and permissions: opening and closing a database here would drop SQLite's locks on it.
 */
export function assertReadWrite(area: Area, cache: CachePair | undefined, settings: Settings): void {
  assertOwned(area.realPath, "area directory", settings);
  assertOwned(area.megatestDb, "database", settings);
  if (lstatSync(area.completedDb, { throwIfNoEntry: false }) !== undefined) {
    assertOwned(area.completedDb, "database", settings);
  }
  if (cache === undefined) return;
  assertOwned(cache.directory, "cache directory", settings);
  assertOwned(cache.megatestDb, "cache", settings);
  if (cache.refDb !== undefined) assertOwned(cache.refDb, "cache", settings);
}

function assertOwned(path: string, what: string, settings: Settings): void {
  const stat = statSync(path);
  const user = process.geteuid?.() ?? 0;
  const needed = stat.isDirectory() ? 0o700 : 0o600;
  const mayOpen = (stat.mode & needed) === needed && isAccessible(path, stat.isDirectory());
  if ((user === stat.uid && mayOpen) || (user === 0 && isAccessible(path, stat.isDirectory()))) return;
  const problem =
    user === stat.uid
      ? "cannot be read and written by its owner"
      : `belongs to user ${stat.uid}, this process runs as ${user}`;
  throw new JobsError("not-owner", `the ${what} ${path} ${problem}`, {
    hint: `run mtjobs as user ${stat.uid}, with MTJOBS_USER set to that user's name (it is "${settings.user}" now)`,
    details: { path, owner: stat.uid, user },
  });
}

/** Also false on a file system mounted read-only, and for root where the server squashes it. */
function isAccessible(path: string, isDirectory: boolean): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK | (isDirectory ? constants.X_OK : 0));
    return true;
  } catch {
    return false;
  }
}

/**
 * Creates `path` empty where it is missing, and gives it owner, group and mode of `modelPath`. Owner and group are left
 * where this user may not change them; then the group gets no more than everybody. Never opens an existing file.
 */
export function createLike(path: string, modelPath: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
  const stat = lstatSync(path);
  if (!stat.isFile()) throw new JobsError("not-an-area", `${path} is not a regular file`);
  applyOwner(path, stat, statSync(modelPath));
}

/** Creates the area's `.mtjobs` like megatest.db, enterable by whoever may read that. An existing one is left as it is. */
export function ensurePrivateDir(area: Area): void {
  try {
    mkdirSync(area.privateDir, 0o700);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    if (lstatSync(area.privateDir).isDirectory()) return;
    throw new JobsError("not-an-area", `${area.privateDir} is not a directory`);
  }
  applyOwner(area.privateDir, lstatSync(area.privateDir), statSync(area.megatestDb));
  // What is put into it later is durable only if its own name is.
  syncDirectory(area.realPath);
}

function applyOwner(path: string, stat: Stats, model: Stats): void {
  let sameGroup = stat.gid === model.gid;
  if (stat.uid !== model.uid || !sameGroup) sameGroup = tryChown(path, stat, model);
  const mode = directoryMode(sameGroup ? model.mode : groupAsOthers(model.mode), stat.isDirectory());
  if ((stat.mode & 0o777) !== mode) chmodSync(path, mode);
}

function tryChown(path: string, stat: Stats, model: Stats): boolean {
  for (const uid of [model.uid, stat.uid]) {
    try {
      chownSync(path, uid, model.gid);
      return true;
    } catch (error) {
      if (systemCode(error) !== "EPERM") throw error;
    }
  }
  return false;
}

function groupAsOthers(mode: number): number {
  return (mode & ~0o070) | ((mode & 0o007) << 3);
}

/** Permission bits of a file as they are, or for a directory with x wherever there is r. */
function directoryMode(mode: number, isDirectory: boolean): number {
  const bits = mode & 0o666;
  return isDirectory ? bits | ((bits & 0o444) >> 2) : bits;
}
