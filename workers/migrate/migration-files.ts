import { lstatSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Area } from "../../shared/area/area.ts";
import { createNewLike, ensurePrivateDir } from "../../shared/area/ownership.ts";
import { readBounded } from "../../shared/area/read-bounded.ts";
import { makeDirectory, syncDirectory } from "../../shared/area/sync-directory.ts";
import { systemCode } from "../../shared/area/system-code.ts";
import { JobsError } from "../../shared/errors.ts";
import { removeIfEmpty } from "./pair-files.ts";

/** `.mtjobs/migration/<token>/`: what hosts hand to each other, and what one tells that may not write megatest.db. */

const watchedSchema = z.object({
  /** Ms since 1970: since when the old home has watched, and when it is to end. */
  since: z.number(),
  until: z.number(),
  /** How many strays it copied here. */
  strays: z.number().int().nonnegative(),
  done: z.boolean(),
  /** Other users' caches among them, by directory: as which stray, and how lately they had changed then, ms since 1970. */
  copied: z
    .record(z.string(), z.object({ n: z.number().int().positive(), changedAt: z.number() }))
    .optional(),
  /** What a person should know of other users' caches, by directory: one sentence each. */
  problems: z.record(z.string(), z.string()).optional(),
});
export type Watched = z.infer<typeof watchedSchema>;

/** What the files of a migration tell. */
export interface MigrationFiles {
  /** The directory is there, with more than strays that are kept for people to look at, or with nothing. */
  there: boolean;
  /** Undoing: nothing of ours is left on the new home. */
  newClean: boolean;
  watched: Watched | undefined;
}

const migrations = (area: Area) => join(area.privateDir, "migration");

export function migrationDirectory(area: Area, token: number): string {
  return join(migrations(area), String(token));
}

/** megatest.db as it was before the new home had a pair of its own. */
export const baseFile = (area: Area, token: number): string =>
  join(migrationDirectory(area, token), "base.db");

/** Creates the directory where it is missing; a link or anything else in its place is `not-an-area`. */
export function ensureMigrationDirectory(area: Area, token: number): string {
  ensurePrivateDir(area);
  const directory = migrationDirectory(area, token);
  const { mode } = lstatSync(area.privateDir);
  for (const path of [migrations(area), directory]) {
    makeDirectory(path, mode & 0o777);
    assertDirectory(path);
  }
  return directory;
}

function assertDirectory(path: string): void {
  if (lstatSync(path).isDirectory()) return;
  throw new JobsError("not-an-area", `${path} is not a directory`, {
    hint: "check who created it and what it points to before removing it",
  });
}

/** Tokens of the migrations that left a directory, in order. */
export function migrationTokens(area: Area): number[] {
  try {
    return readdirSync(migrations(area))
      .filter((name) => /^\d{1,15}$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

export function readMigrationFiles(area: Area, token: number): MigrationFiles {
  const directory = migrationDirectory(area, token);
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  if (stat === undefined) return { there: false, newClean: false, watched: undefined };
  assertDirectory(directory);
  const names = readdirSync(directory);
  // Whoever removed it may have died before its own name was gone.
  const there = names.length === 0 || names.some((name) => !strayName.test(name));
  return { there, newClean: isFile(join(directory, "new-clean")), watched: readWatched(directory) };
}

function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** Room for the paths of as many of other users' caches as are copied. */
const watchedBytes = 1024 * 1024;

function readWatched(directory: string): Watched | undefined {
  const file = join(directory, "watched.json");
  if (!isFile(file)) return undefined;
  try {
    return watchedSchema.parse(JSON.parse(readBounded(file, { maxBytes: watchedBytes, code: "corrupt" })));
  } catch {
    return undefined; // torn or not ours: the watch begins anew
  }
}

export function writeWatched(area: Area, token: number, watched: Watched): void {
  writeMark(area, token, "watched.json", `${JSON.stringify(watched)}\n`);
}

/** Says that nothing of an undone migration is left on the new home. */
export function writeNewClean(area: Area, token: number): void {
  writeMark(area, token, "new-clean", "");
}

function writeMark(area: Area, token: number, name: string, text: string): void {
  const directory = ensureMigrationDirectory(area, token);
  const temporary = join(directory, `${name}.${process.pid}.tmp`);
  rmSync(temporary, { force: true });
  createNewLike(temporary, area.megatestDb, text);
  renameSync(temporary, join(directory, name));
  syncDirectory(directory);
}

const strayName = /^stray-(\d+)(?:-ref)?\.db$/;

/**
 * Removes the directory of a migration that has ended. Strays stay, but for those numbered in `done`: another may have come
 * meanwhile, and is the only copy of what it holds.
 */
export function removeMigrationDirectory(area: Area, token: number, done: readonly number[] = []): void {
  const directory = migrationDirectory(area, token);
  if (lstatSync(directory, { throwIfNoEntry: false }) === undefined) return;
  for (const name of readdirSync(directory)) {
    const stray = strayName.exec(name)?.[1];
    if (stray === undefined || done.includes(Number(stray)))
      rmSync(join(directory, name), { recursive: true, force: true });
  }
  removeIfEmpty(directory);
}
