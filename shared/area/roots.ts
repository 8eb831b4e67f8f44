import { lstatSync, realpathSync } from "node:fs";
import { dirname, sep } from "node:path";
import { JobsError } from "../errors.ts";

/** True where `path` is `directory` or below it; both resolved. */
export function isInside(path: string, directory: string): boolean {
  const prefix = directory.endsWith(sep) ? directory : directory + sep;
  return path === directory || path.startsWith(prefix);
}

/** Allowed roots with their links resolved; a root that does not exist allows nothing. */
export function resolveRoots(roots: readonly string[]): string[] {
  return roots.map(resolved).filter((root) => root !== undefined);
}

/**
 * Follows the links of an absolute path. Undefined where nothing is there.
 * With `roots` (resolved), what lies outside throws `outside-roots`, in the same words whether or not it exists:
 * a caller must not learn about the rest of the file system by asking.
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

/** The nearest directory above a missing path; undefined where a dangling link leads nobody knows where. */
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
    return false; // in a directory that this user may not enter: what counts is where that one is
  }
}
