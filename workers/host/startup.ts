import { accessSync, constants } from "node:fs";
import { reachableAddress } from "../../shared/area/homehost.ts";
import type { HostRecord } from "../../shared/contract/queue-records.ts";
import { JobsError } from "../../shared/errors.ts";
import { currentUser } from "../../shared/process.ts";
import { homeName } from "../../shared/settings/home-name.ts";
import type { Logger } from "../../shared/settings/log.ts";
import type { Settings } from "../../shared/settings/settings.ts";
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
 * @throws JobsError `bad-settings` without roots or with an invalid host name, `not-owner` as the wrong user
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
  for (const root of settings.areas) {
    try {
      accessSync(root, constants.R_OK | constants.X_OK);
    } catch (error) {
      // It may be mounted later; its jobs fail with their own reason until then.
      log.warn({ err: error, root }, "cannot read a directory of MTJOBS_AREAS");
    }
  }
}
