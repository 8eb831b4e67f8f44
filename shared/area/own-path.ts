import { lstatSync, type Stats } from "node:fs";
import { join, relative, sep } from "node:path";
import { JobsError } from "../errors.ts";
import type { Settings } from "../settings.ts";
import { assertHarmlessJournal } from "../sqlite/journal.ts";
import { systemCode } from "./system-code.ts";
import { userId, userText } from "./user-name.ts";

/** Where this user's caches are: what stands below `cacheRoot` may be anybody's, for everybody may write to /tmp. */
export type CachePlace = Pick<Settings, "cacheRoot" | "user">;

/**
 * Makes sure that nobody but the user whose caches they are (and root) can have put a directory below the cache root
 * where it is, can exchange it, or put anything into it: each one on the way is a directory, no link, belongs to that user or
 * root, and is not everybody's to write to, sticky or not. A group that its owner lets write is trusted: under many a umask
 * Megatest makes directories so. Undefined where nothing stands there; the cache root itself is the operator's to choose.
 *
 * @throws JobsError `not-owner`, which names what is wrong
 */
export function checkOwnDirectory(place: CachePlace, directory: string): Stats | undefined {
  let path = place.cacheRoot;
  let stat: Stats | undefined;
  for (const name of relative(place.cacheRoot, directory).split(sep)) {
    path = join(path, name);
    stat = look(path);
    if (stat === undefined) return undefined;
    assertOwn(place, path, stat, "a directory");
  }
  return stat;
}

/** True where a directory below the cache root is there and `checkOwnDirectory` has nothing against it. */
export function isOwnDirectory(place: CachePlace, directory: string): boolean {
  try {
    return checkOwnDirectory(place, directory) !== undefined;
  } catch (error) {
    if (error instanceof JobsError && error.code === "not-owner") return false;
    throw error;
  }
}

/** What SQLite may find, or make, beside a database. */
const sidecars = ["-journal", "-wal", "-shm"];

/**
 * The same for a database in such a directory and what lies beside it; false where there is none.
 *
 * @throws JobsError `not-owner`
 */
export function checkOwnDatabase(place: CachePlace, path: string): boolean {
  const stat = look(path);
  if (stat === undefined) return false;
  assertOwn(place, path, stat, "a regular file");
  for (const suffix of sidecars) {
    const file = path + suffix;
    const beside = look(file);
    if (beside === undefined) continue;
    // Whoever of the group looks at a database in WAL mode makes these. A journal may name files, which SQLite removes.
    if (suffix !== "-journal") assertKind(file, beside, "a regular file");
    else {
      assertOwn(place, file, beside, "a regular file");
      assertHarmlessJournal(path);
    }
  }
  return true;
}

function look(path: string): Stats | undefined {
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

function assertOwn({ user }: CachePlace, path: string, stat: Stats, kind: Kind): void {
  assertKind(path, stat, kind);
  if (!mayOwn(stat.uid, user)) {
    throw new JobsError("not-owner", `${path} belongs to ${userText(stat.uid)}, not to root or "${user}"`, {
      hint: "check who created it and what it contains before removing it; MTJOBS_USER sets whose caches are used",
      details: { path, owner: stat.uid },
    });
  }
  // Where it is sticky, too: nobody could exchange what is there, but put a journal beside it.
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
