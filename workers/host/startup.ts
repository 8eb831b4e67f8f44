import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";
import { reachableAddress } from "../../shared/area/homehost.ts";
import { listAreas } from "../../shared/area/list-areas.ts";
import { userText } from "../../shared/area/user-name.ts";
import type { HostRecord } from "../../shared/contract/queue-records.ts";
import { JobsError, systemCode } from "../../shared/errors.ts";
import { currentUser } from "../../shared/process.ts";
import { homeName } from "../../shared/settings/home-name.ts";
import type { Logger } from "../../shared/settings/log.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { assertSqliteLoads } from "../../shared/sqlite/connection.ts";
import { plural } from "../../shared/text.ts";
import { ownVersion } from "../../shared/version.ts";

/** Returns what this process announces to the other hosts. */
export async function hostRecord(settings: Settings): Promise<HostRecord> {
  return {
    host: settings.host,
    // A host without an address can still be named in .homehost.
    address: await reachableAddress(settings).catch(() => null),
    version: ownVersion(),
    pid: process.pid,
    user: settings.user,
    cacheRoot: settings.cacheRoot,
    areas: settings.areas,
    startedAt: new Date().toISOString(),
  };
}

/**
 * Checks what a worker needs before it takes any job.
 *
 * @throws JobsError `bad-settings` without roots, without the directory of one, or with an invalid host name; `not-owner`
 *   as the wrong user; `bad-installation` if SQLite does not load
 */
export function checkStart(settings: Settings, log: Logger): void {
  if (settings.areas.length === 0) {
    throw new JobsError("bad-settings", "MTJOBS_AREAS is empty", {
      hint: "set it to the absolute paths of the directories that hold the areas, separated by colons; the worker touches nothing outside them",
    });
  }
  if (!homeName.test(settings.host)) {
    throw new JobsError("bad-settings", `${JSON.stringify(settings.host)} is not a valid host name`, {
      hint: "set MTJOBS_HOST to a name that .homehost may hold: letters, digits, dots and dashes",
    });
  }
  const { uid, username } = currentUser();
  if (uid !== 0 && username !== settings.user) {
    throw new JobsError(
      "not-owner",
      `running as ${username}, which cannot use the caches of ${settings.user}`,
      {
        hint: `start the worker as ${settings.user} or root, or correct MTJOBS_USER`,
        details: { runningAs: username, user: settings.user },
      },
    );
  }
  assertSqliteLoads();
  for (const root of settings.areas) checkRoot(root, uid, log);
}

/** Directories read below a root to find an area of this user; a larger tree is not judged. */
const mostDirectories = 2000;

/**
 * Checks that a root exists and that this user has an area there. An empty root is served: areas may come.
 *
 * @throws JobsError `bad-settings` without the directory, `not-owner` if it holds areas, but none of this user
 */
function checkRoot(root: string, uid: number, log: Logger): void {
  if (!isThere(root, log)) {
    throw new JobsError("bad-settings", `MTJOBS_AREAS: the directory ${root} does not exist`, {
      hint: "correct the path, or mount the file system before the worker starts",
      details: { root },
    });
  }
  let [areas, unseen] = [0, false];
  const warn = () => {
    unseen = true;
  };
  for (const area of listAreas([root], { most: mostDirectories, warn })) {
    areas++;
    // Root may write to every area.
    if (uid === 0 || statSync(join(area, "megatest.db"), { throwIfNoEntry: false })?.uid === uid) return;
  }
  if (unseen) return;
  if (areas === 0) {
    log.warn({ root }, `there is no area below ${root} yet`);
    return;
  }
  throw new JobsError(
    "not-owner",
    `this process runs as ${userText(uid)}, to whom none of the ${plural(areas, "area")} below ${root} belongs`,
    {
      hint: "start the worker as the user who owns the areas, or correct MTJOBS_AREAS",
      details: { root, areas },
    },
  );
}

function isThere(root: string, log: Logger): boolean {
  try {
    if (!statSync(root).isDirectory()) return false;
    accessSync(root, constants.R_OK | constants.X_OK);
    return true;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error))) return false;
    // A file server may be away; jobs fail with their own reason until it is back.
    log.warn({ err: error, root }, "cannot read a directory of MTJOBS_AREAS");
    return true;
  }
}
