import { lstatSync, type Stats } from "node:fs";
import { dirname } from "node:path";
import { userText } from "../../shared/area/user-name.ts";
import { JobsError } from "../../shared/errors.ts";
import { isInside, resolveRoots } from "../../shared/files/roots.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import type { OpenedArea } from "../area-db/open-area.ts";

/** Whose files a job may trust: its own user's, root's and those of the area's owner. */
export interface Trust {
  settings: Settings;
  /** Owner of the area's megatest.db. */
  owner: number;
}

export function trustOf({ context, files }: Pick<OpenedArea, "context" | "files">): Trust {
  return { settings: context.settings, owner: lstatSync(files.area).uid };
}

/**
 * Checks a directory for exports, and returns it with links resolved.
 *
 * @throws JobsError `outside-roots`; `not-owner` if others could change what is written there; `bad-payload` if it is
 *   no directory
 */
export function assertExportDirectory(path: string, trust: Trust): string {
  const real = resolveExport(path, trust.settings);
  if (!lstatSync(real).isDirectory()) {
    throw new JobsError("bad-payload", `${path} is not a directory`, {
      hint: `create the directory for exports on ${trust.settings.host} first`,
    });
  }
  assertTrusted(real, trust);
  // The owner of a directory above could put another one in its place while exports are written.
  for (const at of above(real)) assertOwner(at, lstatSync(at), trust);
  return real;
}

/**
 * Checks a file that may be an export, and returns it with links resolved. Another may be in its place by the time that
 * it is read: see `copyExport`. Throws as `assertExportDirectory`.
 */
export function assertExportFile(path: string, trust: Trust): string {
  const real = resolveExport(path, trust.settings);
  if (!lstatSync(real).isFile())
    throw new JobsError("bad-payload", `${path} is not a regular file`, { hint: "name a file of a purge" });
  assertTrusted(real, trust);
  // SQLite would roll a journal back, and follow a log.
  const beside = ["-journal", "-wal", "-shm"].find(
    (suffix) => lstatSync(real + suffix, { throwIfNoEntry: false }) !== undefined,
  );
  if (beside !== undefined) {
    throw new JobsError("bad-payload", `${path} is in use: there is a ${beside.slice(1)} file beside it`, {
      hint: "close the programs that have it open; if none has, copy the file alone elsewhere and import the copy",
    });
  }
  return real;
}

/** @throws JobsError `outside-roots`, before it says whether the path exists */
function resolveExport(path: string, { exports, areas, host }: Settings): string {
  const roots = exports.length > 0 ? exports : areas;
  const real = resolveRoots([path])[0];
  const allowed = resolveRoots(roots);
  const above = real ?? resolveRoots([dirname(path)])[0];
  if (roots.length > 0 && !allowed.some((root) => above !== undefined && isInside(above, root))) {
    throw new JobsError("outside-roots", `${path} is not inside the directories for exports`, {
      hint: `add its root to MTJOBS_EXPORTS (--exports) on ${host}; without it, exports are below MTJOBS_AREAS`,
    });
  }
  if (real !== undefined) return real;
  throw new JobsError("bad-payload", `${path} does not exist on ${host}`, {
    hint: "create it, or name another path, as that host mounts it",
  });
}

/** The permission of all users to write. An import refuses such a file. */
export const byOthers = 0o002;
const sticky = 0o1000;

/**
 * Checks that only trusted users and their groups can write to a file or directory, or add files to the directory.
 * Directories above it may be open to all if only an entry's owner can rename it, as in /tmp.
 */
function assertTrusted(real: string, trust: Trust): void {
  const stat = lstatSync(real);
  if ((stat.mode & byOthers) !== 0) throw openToAll(real);
  assertOwner(real, stat, trust);
  for (const at of above(real)) {
    const { mode } = lstatSync(at);
    if ((mode & byOthers) !== 0 && (mode & sticky) === 0) throw openToAll(at);
  }
}

/** Returns the directories above a path, the nearest first. */
function above(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [parent, ...above(parent)];
}

function assertOwner(path: string, { uid }: Stats, trust: Trust): void {
  if (trustedOwners(trust).includes(uid)) return;
  throw new JobsError(
    "not-owner",
    `${path} belongs to ${userText(uid)}, not to the area's owner or to root`,
    {
      hint: "check who created it; exports need a directory of the area's owner, below directories of that user or of root",
      details: { path, owner: uid },
    },
  );
}

export function trustedOwners({ owner }: Trust): number[] {
  return [0, owner, process.geteuid?.()].filter((uid) => uid !== undefined);
}

function openToAll(path: string): JobsError {
  return new JobsError("not-owner", `all users may write to ${path}`, {
    hint: `check that no other user changed it, then run: chmod o-w ${path}`,
    details: { path },
  });
}
