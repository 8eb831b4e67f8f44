import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { JobsError, systemCode } from "../errors.ts";
import { isInside, resolveInside, resolveRoots } from "../files/roots.ts";

/** This file, in an area or in a root above it, pauses all jobs there. */
const stopFile = join(".mtjobs", "pause");

/** Returns the file that pauses an area's jobs, if any. */
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
    // Inaccessible counts as existing.
    return systemCode(error) !== "ENOENT" && systemCode(error) !== "ENOTDIR";
  }
}

/** @throws {JobsError} `paused`; otherwise as `findPause` */
export async function assertNotPaused(area: string, roots: readonly string[]): Promise<void> {
  const file = await findPause(area, roots);
  if (file !== undefined) throw paused(file);
}

export function paused(file: string): JobsError {
  return new JobsError("paused", `jobs are paused by ${file}`, {
    hint: "delete that file to resume them",
    details: { file },
  });
}
