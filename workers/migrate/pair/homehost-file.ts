import { lstatSync, readdirSync, renameSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { Area } from "../../../shared/area/area.ts";
import { readHomehost } from "../../../shared/area/homehost.ts";
import { createNewLike } from "../../../shared/area/ownership.ts";
import { JobsError, systemCode } from "../../../shared/errors.ts";
import { syncDirectory } from "../../../shared/files/sync-directory.ts";
import { homeName } from "../../../shared/settings/home-name.ts";

// `.homehost` is changed only by renaming over it a file whose name holds the authorized token. It is never absent,
// because Megatest writes its own host into a missing one. Removing the token's file revokes the right.

const nextName = /^\.homehost\.mtjobs-\d+$/;

function nextHomeFile(area: Area, token: number): string {
  return join(area.realPath, `.homehost.mtjobs-${token}`);
}

/**
 * Writes the next `.homehost` under the token's name, durably.
 *
 * @throws JobsError `bad-settings` for an invalid value
 */
export function writeNextHome(area: Area, home: string, token: number): void {
  if (!homeName.test(home)) {
    throw new JobsError("bad-settings", `${JSON.stringify(home)} is not a valid value for .homehost`, {
      hint: "set MTJOBS_ADDRESS on the new home to its address",
    });
  }
  const file = nextHomeFile(area, token);
  // Left by a step that died.
  rmSync(file, { force: true });
  createNewLike(file, area.homehostFile, `${home}\n`);
  syncDirectory(area.realPath);
}

/**
 * Renames the token's file to `.homehost`: the commit point.
 *
 * @throws JobsError `lost-lease` if that file was removed and `.homehost` is not `to`
 */
export function switchHome(area: Area, token: number, to: string): void {
  try {
    renameSync(nextHomeFile(area, token), area.homehostFile);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    // NFS may have renamed it and lost the reply.
    if (readHomehost(area).value !== to) {
      throw new JobsError("lost-lease", "the new .homehost was removed before it was renamed", {
        hint: "another worker is undoing this migration",
      });
    }
  }
  syncDirectory(area.realPath);
}

/** Revokes a token's right. `absent`: it was used, or never granted. */
export function withdrawNextHome(area: Area, token: number): "removed" | "absent" {
  try {
    unlinkSync(nextHomeFile(area, token));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "absent";
    throw error;
  }
  syncDirectory(area.realPath);
  return "removed";
}

/** Removes files whose intent was never committed. Only under the lease, with no intent open. */
export function removeNextHomes(area: Area): void {
  for (const name of readdirSync(area.realPath)) {
    if (nextName.test(name)) withdrawNextHome(area, Number(name.slice(".homehost.mtjobs-".length)));
  }
}

/** @throws JobsError `bad-config` if `.homehost` is missing or not a plain file */
export function assertHomehostFile(area: Area): void {
  if (lstatSync(area.homehostFile, { throwIfNoEntry: false })?.isFile() === true) return;
  throw new JobsError("bad-config", `${area.homehostFile} is missing, or not a plain file`, {
    hint: "start Megatest once on the homehost, or replace the link with a file",
  });
}
