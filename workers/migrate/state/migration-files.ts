import { lstatSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import type { Area } from "../../../shared/area/area.ts";
import { createNewLike, ensurePrivateDir } from "../../../shared/area/ownership.ts";
import { systemCode } from "../../../shared/errors.ts";
import { readBounded } from "../../../shared/files/read-bounded.ts";
import { makeDirectory, syncDirectory } from "../../../shared/files/sync-directory.ts";
import { checkDirectory } from "../pair/handed-over.ts";
import { removeIfEmpty } from "../pair/pair-files.ts";

// `.mtjobs/migration/<token>/`: files that hosts hand over.

const watchedSchema = z.object({
  /** Start and end of the old home's watch, ms since 1970. */
  since: z.number(),
  until: z.number(),
  strays: z.number().int().nonnegative(),
  done: z.boolean(),
  /** Copied caches of other users, by directory; `changedAt` in ms since 1970. */
  copied: z
    .record(z.string(), z.object({ n: z.number().int().positive(), changedAt: z.number() }))
    .optional(),
  /** Sentences on other users' caches, by directory. */
  problems: z.record(z.string(), z.string()).optional(),
});
export type Watched = z.infer<typeof watchedSchema>;

export interface MigrationFiles {
  /** The directory is empty, or has more than divergent caches kept for inspection. */
  there: boolean;
  newClean: boolean;
  watched: Watched | undefined;
}

const migrations = (area: Area) => join(area.privateDir, "migration");

export function migrationDirectory(area: Area, token: number): string {
  return join(migrations(area), String(token));
}

/** megatest.db before the new home had a pair. */
export const baseFile = (area: Area, token: number): string =>
  join(migrationDirectory(area, token), "base.db");

/** @throws JobsError `not-an-area` for a link or another file in its place */
export function ensureMigrationDirectory(area: Area, token: number): string {
  ensurePrivateDir(area);
  const directory = migrationDirectory(area, token);
  const { mode } = lstatSync(area.privateDir);
  for (const path of [migrations(area), directory]) {
    makeDirectory(path, mode & 0o777);
    checkDirectory(area, path);
  }
  return directory;
}

/** Tokens of migrations that left a directory, in order. */
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
  if (!checkDirectory(area, directory)) return { there: false, newClean: false, watched: undefined };
  const names = readdirSync(directory);
  // Empty: a worker died before removing it.
  const there = names.length === 0 || names.some((name) => !divergentCacheName.test(name));
  return { there, newClean: isFile(join(directory, "new-clean")), watched: readWatched(directory) };
}

function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

const watchedBytes = 1024 * 1024;

function readWatched(directory: string): Watched | undefined {
  const file = join(directory, "watched.json");
  if (!isFile(file)) return undefined;
  try {
    return watchedSchema.parse(JSON.parse(readBounded(file, { maxBytes: watchedBytes, code: "corrupt" })));
  } catch {
    return undefined; // torn or foreign: the watch starts again
  }
}

export function writeWatched(area: Area, token: number, watched: Watched): void {
  writeMark(area, token, "watched.json", `${JSON.stringify(watched)}\n`);
}

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

const divergentCacheName = /^stray-(\d+)(?:-ref)?\.db$/;

/**
 * Removes the directory of an ended migration. Keeps divergent caches except those in `done`: they may be the only
 * copies of their rows.
 *
 * @throws JobsError `not-an-area` for a link in its place
 */
export function removeMigrationDirectory(area: Area, token: number, done: readonly number[] = []): void {
  const directory = migrationDirectory(area, token);
  if (!checkDirectory(area, directory)) return;
  for (const name of readdirSync(directory)) {
    const number = divergentCacheName.exec(name)?.[1];
    if (number !== undefined && !done.includes(Number(number))) continue;
    // A link in its place by now would lead to the files of others.
    checkDirectory(area, directory);
    rmSync(join(directory, name), { recursive: true, force: true });
  }
  removeIfEmpty(directory);
}
