import { randomUUID } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { JobsError, systemCode } from "../errors.ts";
import { syncDirectory } from "../files/sync-directory.ts";
import type { Settings } from "../settings/settings.ts";
import type { Area } from "./area.ts";
import { userText } from "./user-name.ts";

export function assertOwned(path: string, what: string, settings: Settings): void {
  const stat = statSync(path);
  const user = process.geteuid?.() ?? 0;
  const needed = stat.isDirectory() ? 0o700 : 0o600;
  const mayOpen = (stat.mode & needed) === needed && isAccessible(path, stat.isDirectory());
  if ((user === stat.uid && mayOpen) || (user === 0 && isAccessible(path, stat.isDirectory()))) return;
  const problem =
    user === stat.uid
      ? "cannot be read and written by its owner"
      : `belongs to ${userText(stat.uid)}, this process runs as ${userText(user)}`;
  throw new JobsError("not-owner", `the ${what} ${path} ${problem}`, {
    hint: `run mtjobs as ${userText(stat.uid)}, with MTJOBS_USER set to that user's name (it is "${settings.user}" now)`,
    details: { path, owner: stat.uid, user },
  });
}

/** Returns false also on a read-only file system, and for a squashed root. */
function isAccessible(path: string, isDirectory: boolean): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK | (isDirectory ? constants.X_OK : 0));
    return true;
  } catch {
    return false;
  }
}

/** Prefix of a file being created. */
const newPrefix = ".mtjobs-new-";

export const isUnfinished = (name: string) => name.startsWith(newPrefix);

/**
 * Creates `path` if missing, with owner, group and mode of `modelPath` and durable content that is complete before
 * the name exists. If this user may not set owner and group, the group gets no more than others. Returns whether it
 * was created.
 *
 * Ownership is changed only through the descriptor, never by name: others may write to the directory.
 *
 * @param denied permission bits that the file never gets
 * @throws JobsError `not-an-area` if something other than a regular file exists, or it is replaced during creation
 */
export function createLike(
  path: string,
  modelPath: string,
  content: string | Buffer = "",
  denied = 0,
): boolean {
  if (isThere(path)) return false;
  const made = join(dirname(path), `${newPrefix}${randomUUID()}`);
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;
  const fd = openSync(made, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR, 0o600);
  try {
    applyOwner(fd, statSync(modelPath), denied);
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    if (bytes.length > 0) fsyncSync(fd);
    return linkMade(made, path, fd);
  } finally {
    closeSync(fd);
    rmSync(made, { force: true });
  }
}

/** @throws JobsError `conflict` if the file exists */
export function createNewLike(path: string, modelPath: string, content = ""): void {
  if (createLike(path, modelPath, content)) return;
  throw new JobsError("conflict", `${path} was created by another process`, {
    hint: "check what else writes to that directory",
  });
}

function isThere(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.isFile()) return stat !== undefined;
  throw new JobsError("not-an-area", `${path} is not a regular file`);
}

function linkMade(made: string, path: string, fd: number): boolean {
  try {
    linkSync(made, path);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    // NFS may report this for its own link.
    if (!isThere(path) || !isSame(path, fd)) return false;
  }
  if (isSame(path, fd)) return true;
  throw new JobsError("not-an-area", `${path} was replaced while it was being created`, {
    hint: "check what else writes to that directory",
  });
}

function isSame(path: string, fd: number): boolean {
  const here = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  const ours = fstatSync(fd, { bigint: true });
  return here?.dev === ours.dev && here.ino === ours.ino;
}

/** Creates the area's `.mtjobs` with the access rights of megatest.db. */
export function ensurePrivateDir(area: Area): void {
  try {
    mkdirSync(area.privateDir, 0o700);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    if (lstatSync(area.privateDir).isDirectory()) return;
    throw new JobsError("not-an-area", `${area.privateDir} is not a directory`);
  }
  const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
  const fd = openSync(area.privateDir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    // Another directory may be there by now: only a new one is private and empty.
    const { mode, nlink } = fstatSync(fd);
    if ((mode & 0o077) === 0 && nlink <= 2) applyOwner(fd, statSync(area.megatestDb));
  } finally {
    closeSync(fd);
  }
  syncDirectory(area.realPath);
}

function applyOwner(fd: number, model: Stats, denied = 0): void {
  const stat = fstatSync(fd);
  let sameGroup = stat.gid === model.gid;
  if (stat.uid !== model.uid || !sameGroup) sameGroup = tryChown(fd, stat, model);
  const granted = sameGroup ? model.mode : groupAsOthers(model.mode);
  const mode = directoryMode(granted, stat.isDirectory()) & ~denied;
  if ((stat.mode & 0o777) !== mode) fchmodSync(fd, mode);
}

function tryChown(fd: number, stat: Stats, model: Stats): boolean {
  for (const uid of [model.uid, stat.uid]) {
    try {
      fchownSync(fd, uid, model.gid);
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

/** Returns permission bits; for a directory, with x wherever there is r. */
function directoryMode(mode: number, isDirectory: boolean): number {
  const bits = mode & 0o666;
  return isDirectory ? bits | ((bits & 0o444) >> 2) : bits;
}
