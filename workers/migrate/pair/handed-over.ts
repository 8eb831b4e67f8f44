import { type BigIntStats, lstatSync, statSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import type { Area } from "../../../shared/area/area.ts";
import { userId, userText } from "../../../shared/area/user-name.ts";
import { JobsError } from "../../../shared/errors.ts";
import type { Settings } from "../../../shared/settings/settings.ts";
import { type PrivateCopy, placeForCopy } from "../../../shared/sqlite/private-copy.ts";
import { retryWhileBusy } from "../../area-db/transaction.ts";
import { assertSound } from "./digest.ts";
import { copyInThread, integrityInThread } from "./digest-in-thread.ts";

// Hosts hand databases over in `.mtjobs/migration/<token>/`. Any user who may write to `.mtjobs` can put a link to a
// private file there, which a job would read into the area.

/** Where files are handed over, and whose this worker trusts. */
interface Handing {
  area: Area;
  settings: Pick<Settings, "user">;
}

const hint = "check who created it and what it points to before removing it";

/**
 * Checks that a directory below `.mtjobs` is one, and that no link leads to it. Returns false if it does not exist.
 *
 * @throws JobsError `not-an-area`
 */
export function checkDirectory({ privateDir }: Area, directory: string): boolean {
  let path = privateDir;
  for (const name of ["", ...relative(privateDir, directory).split(sep)]) {
    path = join(path, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return false;
    if (!stat.isDirectory()) throw new JobsError("not-an-area", `${path} is not a directory`, { hint });
  }
  return true;
}

/**
 * Checks a database that another host or an earlier step left: a regular file with one name, no link on the way, of
 * this user, root, the caches' user or the owner of megatest.db, without a journal. Returns false if it does not exist.
 *
 * @throws JobsError `not-an-area` or `not-owner` if a check fails; `conflict` if there is a journal
 */
export function checkHandedOver({ area, settings }: Handing, file: string): boolean {
  if (!checkDirectory(area, dirname(file))) return false;
  const stat = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return false;
  const problem = problemOf(stat, trustedOwners(area, settings));
  if (problem !== undefined)
    throw new JobsError("not-owner", `${file} ${problem}; it was not read`, { hint });
  for (const suffix of ["-journal", "-wal"]) {
    if (lstatSync(file + suffix, { throwIfNoEntry: false }) === undefined) continue;
    throw new JobsError("conflict", `${file}${suffix} must not exist: the copy beside it is complete`, {
      hint,
    });
  }
  return true;
}

function problemOf(stat: BigIntStats, owners: readonly number[]): string | undefined {
  if (!stat.isFile()) return `is ${stat.isSymbolicLink() ? "a link, not" : "not"} a regular file`;
  if (!owners.includes(Number(stat.uid)))
    return `belongs to ${userText(Number(stat.uid))}, not to the area's owner or to root`;
  return stat.nlink > 1n ? "has another hard link" : undefined;
}

function trustedOwners({ megatestDb }: Area, { user }: Handing["settings"]): number[] {
  const owners = [0, process.geteuid?.(), statSync(megatestDb).uid, userId(user)];
  return owners.filter((uid) => uid !== undefined);
}

/**
 * Copies a database as `checkHandedOver` wants it. Whatever takes its place after the check, only such a file is read,
 * and SQLite opens the copy alone. Undefined if it does not exist.
 *
 * @throws JobsError as `checkHandedOver` and `copyPrivately`; `corrupt` if SQLite finds damage
 */
export async function copyHandedOver(
  handing: Handing,
  file: string,
  signal: AbortSignal,
): Promise<PrivateCopy | undefined> {
  const { area, settings } = handing;
  if (!(await retryWhileBusy(signal, () => checkHandedOver(handing, file)))) return undefined;
  // Of any size: a trusted user has made it.
  const expected = { uid: trustedOwners(area, settings), maxBytes: Number.MAX_SAFE_INTEGER };
  const copy = placeForCopy();
  try {
    // In a thread, since the lease is renewed meanwhile.
    await copyInThread({ file: copy.file, path: file, expected }, signal);
    // The directories on the way were no links either before or after.
    checkHandedOver(handing, file);
    assertSound(file, await integrityInThread(copy.file, signal));
    return copy;
  } catch (error) {
    copy.remove();
    throw error;
  }
}
