import { lstatSync, readdirSync, renameSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { Area } from "../../shared/area/area.ts";
import { readHomehost } from "../../shared/area/homehost.ts";
import { createNewLike } from "../../shared/area/ownership.ts";
import { syncDirectory } from "../../shared/area/sync-directory.ts";
import { systemCode } from "../../shared/area/system-code.ts";
import { JobsError } from "../../shared/errors.ts";
import { homeName } from "../../shared/home-name.ts";

/**
 * `.homehost` changes only by renaming over it a file whose name holds the token that may do so. It is never absent:
 * whoever of Megatest finds it missing writes itself into it. Removing the token's file takes the right away for good.
 */

const nextName = /^\.homehost\.mtjobs-\d+$/;

function nextHomeFile(area: Area, token: number): string {
  return join(area.realPath, `.homehost.mtjobs-${token}`);
}

/**
 * Writes what `.homehost` is to hold under the token's name, durable, with owner and mode of `.homehost`.
 *
 * @throws JobsError `bad-settings` for what nobody would read from it
 */
export function writeNextHome(area: Area, home: string, token: number): void {
  if (!homeName.test(home)) {
    throw new JobsError("bad-settings", `${JSON.stringify(home)} is not a valid value for .homehost`, {
      hint: "set MTJOBS_ADDRESS on the new home to its address",
    });
  }
  const file = nextHomeFile(area, token);
  // Of a part that died while it wrote; this one holds the same right.
  rmSync(file, { force: true });
  createNewLike(file, area.homehostFile, `${home}\n`);
  syncDirectory(area.realPath);
}

/**
 * The commit point: `.homehost` becomes the token's file.
 *
 * @throws JobsError `lost-lease` where that file was taken away and `.homehost` is not `to`
 */
export function switchHome(area: Area, token: number, to: string): void {
  try {
    renameSync(nextHomeFile(area, token), area.homehostFile);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    // NFS may have done it, and said so only to a request that was lost.
    if (readHomehost(area).value !== to) {
      throw new JobsError("lost-lease", "the new .homehost was removed before it was renamed", {
        hint: "another worker is undoing this migration",
      });
    }
  }
  syncDirectory(area.realPath);
}

/** Takes the right to change `.homehost` away from a token. `absent`: it was used, or never given. */
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

/** Removes what parts that never came to commit their intent left. Only under the lease, with no intent open. */
export function removeNextHomes(area: Area): void {
  for (const name of readdirSync(area.realPath)) {
    if (nextName.test(name)) withdrawNextHome(area, Number(name.slice(".homehost.mtjobs-".length)));
  }
}

/** @throws JobsError `bad-config` where `.homehost` is missing or no plain file: it is never made here */
export function assertHomehostFile(area: Area): void {
  if (lstatSync(area.homehostFile, { throwIfNoEntry: false })?.isFile() === true) return;
  throw new JobsError("bad-config", `${area.homehostFile} is missing, or not a plain file`, {
    hint: "start Megatest once on the homehost, or replace the link with a file",
  });
}
