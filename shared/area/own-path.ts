import { lstatSync, type Stats } from "node:fs";
import { join, relative, sep } from "node:path";
import { JobsError, systemCode } from "../errors.ts";
import type { Settings } from "../settings/settings.ts";
import { assertHarmlessJournal } from "../sqlite/journal.ts";
import { userId, userText } from "./user-name.ts";

/** Location of this user's caches. Files below `cacheRoot` may be anyone's. */
export type CacheLocation = Pick<Settings, "cacheRoot" | "user">;

/**
 * Checks that only the caches' user and root can create, replace or write to a directory below the cache root: each
 * component is a directory, not a link, belongs to one of them, and is not world-writable. Group write is trusted:
 * with some umasks Megatest sets it. Returns undefined if nothing exists there; the cache root itself is trusted.
 *
 * @throws JobsError `not-owner`
 */
export function checkOwnDirectory(place: CacheLocation, directory: string): Stats | undefined {
  let path = place.cacheRoot;
  let stat: Stats | undefined;
  for (const name of relative(place.cacheRoot, directory).split(sep)) {
    path = join(path, name);
    stat = statOf(path);
    if (stat === undefined) return undefined;
    assertOwn(place, path, stat, "a directory");
  }
  return stat;
}

export function isOwnDirectory(place: CacheLocation, directory: string): boolean {
  try {
    return checkOwnDirectory(place, directory) !== undefined;
  } catch (error) {
    if (error instanceof JobsError && error.code === "not-owner") return false;
    throw error;
  }
}

const sidecars = ["-journal", "-wal", "-shm"];

/**
 * Checks a database and its sidecar files; false if it does not exist.
 *
 * @throws JobsError `not-owner`
 */
export function checkOwnDatabase(place: CacheLocation, path: string): boolean {
  const stat = statOf(path);
  if (stat === undefined) return false;
  assertOwn(place, path, stat, "a regular file");
  for (const suffix of sidecars) {
    const file = path + suffix;
    const beside = statOf(file);
    if (beside === undefined) continue;
    // Any group member who reads a WAL database creates these. A journal may name files, which SQLite removes.
    if (suffix !== "-journal") assertKind(file, beside, "a regular file");
    else {
      assertOwn(place, file, beside, "a regular file");
      assertHarmlessJournal(path);
    }
  }
  return true;
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (systemCode(error) === "ENOTDIR") return undefined;
    throw new JobsError("not-owner", `${path} cannot be inspected (${systemCode(error)})`, {
      cause: error,
      hint: "run mtjobs as the owner of the cache, with MTJOBS_USER set to that user's name",
    });
  }
}

type Kind = "a directory" | "a regular file";

function assertKind(path: string, stat: Stats, kind: Kind): void {
  if (kind === "a directory" ? stat.isDirectory() : stat.isFile()) return;
  const elsewhere =
    kind === "a directory" ? "; to keep caches on another disk, mount it there (mount --bind)" : "";
  throw new JobsError("not-owner", `${path} is ${stat.isSymbolicLink() ? "a link, not" : "not"} ${kind}`, {
    hint: `check who created it and what it points to before removing it${elsewhere}`,
  });
}

function assertOwn({ user }: CacheLocation, path: string, stat: Stats, kind: Kind): void {
  assertKind(path, stat, kind);
  if (!mayOwn(stat.uid, user)) {
    throw new JobsError("not-owner", `${path} belongs to ${userText(stat.uid)}, not to root or "${user}"`, {
      hint: "check who created it and what it contains before removing it; MTJOBS_USER sets whose caches are used",
      details: { path, owner: stat.uid },
    });
  }
  // Even if sticky: others could add a journal.
  if (stat.isDirectory() && (stat.mode & 0o002) !== 0) {
    throw new JobsError("not-owner", `all users may write to ${path}`, {
      hint: `check that no other user changed it, then run: chmod o-w ${path}`,
      details: { path, owner: stat.uid },
    });
  }
}

function mayOwn(uid: number, user: string): boolean {
  return uid === 0 || uid === process.geteuid?.() || uid === userId(user);
}
