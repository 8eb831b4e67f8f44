import { lstatSync, realpathSync } from "node:fs";
import { dirname, sep } from "node:path";
import { JobsError } from "../errors.ts";

export function isInside(path: string, directory: string): boolean {
  const prefix = directory.endsWith(sep) ? directory : directory + sep;
  return path === directory || path.startsWith(prefix);
}

/** Resolves allowed roots; drops those that do not exist. */
export function resolveRoots(roots: readonly string[]): string[] {
  return roots.map(resolved).filter((root) => root !== undefined);
}

/**
 * Resolves links; undefined if the path does not exist.
 *
 * @throws JobsError `outside-roots`, with the same text whether or not the path exists, so that callers cannot probe
 *   the file system
 */
export function resolveInside(path: string, roots: readonly string[] | undefined): string | undefined {
  const real = resolved(path);
  if (roots === undefined) return real;
  const anchor = real ?? existingAncestor(path);
  if (anchor === undefined || !roots.some((root) => isInside(anchor, root))) {
    throw new JobsError("outside-roots", `${path} is not inside the allowed roots`, {
      hint: "add its root to MTJOBS_AREAS (--areas) on the worker's host",
    });
  }
  return real;
}

function resolved(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}

/** Returns the nearest existing directory above a missing path; undefined for a dangling link. */
function existingAncestor(path: string): string | undefined {
  for (let at = path; ; at = dirname(at)) {
    const real = resolved(at);
    if (real !== undefined) return real;
    if (isLink(at)) return undefined;
    if (dirname(at) === at) return undefined;
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  } catch {
    return false; // not accessible; its directory decides
  }
}
