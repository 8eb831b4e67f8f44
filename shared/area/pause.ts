import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { JobsError } from "../errors.ts";
import { isInside, resolveInside, resolveRoots } from "./roots.ts";
import { systemCode } from "./system-code.ts";

/** Whatever stands under this name in an area, or in a root that holds it, holds every job there. */
const stopFile = join(".mtjobs", "pause");

/**
 * The stop file that holds the jobs of an area: its own, or one in a root of `roots` that it lies in. Undefined where
 * there is none, or no such area.
 */
export async function findPause(area: string, roots: readonly string[]): Promise<string | undefined> {
  const real = resolveInside(area, undefined);
  if (real === undefined) return undefined;
  const above = resolveRoots(roots).filter((root) => root !== real && isInside(real, root));
  for (const directory of [real, ...above]) {
    const file = join(directory, stopFile);
    if (await isThere(file)) return file;
  }
  return undefined;
}

async function isThere(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    // One that cannot be asked for holds as well: nobody can tell that it is gone.
    return systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR";
  }
}

/** @throws {JobsError} `paused` where a stop file holds the jobs of an area; otherwise as `findPause` */
export async function assertNotPaused(area: string, roots: readonly string[]): Promise<void> {
  const file = await findPause(area, roots);
  if (file !== undefined) throw paused(file);
}

/** What a job ends with, or is put off for, while `file` is there. */
export function paused(file: string): JobsError {
  return new JobsError("paused", `jobs are paused by ${file}`, {
    hint: "delete that file to resume them",
    details: { file },
  });
}
