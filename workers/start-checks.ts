import { accessSync, constants } from "node:fs";
import { currentUser } from "../shared/current-user.ts";
import { JobsError } from "../shared/errors.ts";
import { homeName } from "../shared/home-name.ts";
import type { Logger } from "../shared/log.ts";
import type { Settings } from "../shared/settings.ts";

/** What must hold before a worker takes any job: `bad-settings` without roots, `not-owner` as the wrong user. */
export function checkStart(settings: Settings, log: Logger): void {
  if (settings.areas.length === 0) {
    throw new JobsError("bad-settings", "a worker needs the directories that hold its areas", {
      hint: "set MTJOBS_AREAS to their absolute paths, separated by colons: it touches nothing outside them",
    });
  }
  if (!homeName.test(settings.host)) {
    throw new JobsError("bad-settings", `${JSON.stringify(settings.host)} cannot be this host's name`, {
      hint: "set MTJOBS_HOST to a name that .homehost may hold: letters, digits, dots and dashes",
    });
  }
  const { uid, username } = currentUser();
  if (uid !== 0 && username !== settings.user) {
    throw new JobsError(
      "not-owner",
      `running as ${username}, which cannot work on the caches of ${settings.user}`,
      {
        hint: `start the worker as ${settings.user} or root, or mend MTJOBS_USER`,
        details: { runningAs: username, user: settings.user },
      },
    );
  }
  for (const root of settings.areas) {
    try {
      accessSync(root, constants.R_OK | constants.X_OK);
    } catch (error) {
      // It may be mounted later; a job for it fails with its own reason until then.
      log.warn({ err: error, root }, "a directory of MTJOBS_AREAS cannot be read");
    }
  }
}
