import { type Dirent, lstatSync, readdirSync } from "node:fs";
import { join, sep } from "node:path";
import { JobsError, systemCode } from "../errors.ts";
import { resolveInside, resolveRoots } from "../files/roots.ts";
import { isText, notText } from "./area.ts";

export interface ListAreasOptions {
  /** Maximum depth of an area below a root. */
  depth?: number;
  /** Maximum number of directories read. */
  most?: number;
  /** Receives sentences on what was not read. */
  warn?: (sentence: string) => void;
}

interface Place {
  path: string;
  depth: number;
}

/**
 * Yields the areas below the roots, each once, by its shortest path, since caches are named after paths. Follows
 * links within the roots; skips hidden names, and does not search inside areas.
 */
export function* listAreas(roots: readonly string[], options: ListAreasOptions = {}): Generator<string> {
  const { depth = 4, most = 50_000, warn = () => {} } = options;
  const realRoots = resolveRoots(roots);
  const seen = new Set<string>();
  const places: Place[] = roots.map((path) => ({ path, depth: 0 }));
  // Breadth first, so that the shortest path comes first.
  for (let next = 0; next < places.length; next++) {
    const place = places[next] as Place;
    const real = realOf(place.path, realRoots);
    if (real === undefined && place.depth === 0) warn(`${place.path} does not exist`);
    if (real === undefined || seen.has(real)) continue;
    if (seen.size >= most) {
      warn(`more than ${most} directories: the search for areas stopped at ${place.path}`);
      return;
    }
    seen.add(real);
    if (isArea(place.path)) yield place.path;
    else if (place.depth < depth) places.push(...below(place, warn));
  }
}

function realOf(path: string, roots: readonly string[]): string | undefined {
  try {
    return resolveInside(path, roots);
  } catch (error) {
    if (error instanceof JobsError) return undefined;
    throw error;
  }
}

function isArea(path: string): boolean {
  const has = (name: string) => {
    try {
      return lstatSync(join(path, name), { throwIfNoEntry: false }) !== undefined;
    } catch {
      return false; // not accessible; reported when it is listed
    }
  };
  return has("megatest.config") && has("megatest.db");
}

function below({ path, depth }: Place, warn: (sentence: string) => void): Place[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) !== "ENOTDIR" && systemCode(error) !== "ENOENT")
      warn(`${path} cannot be read (${systemCode(error)})`);
    return [];
  }
  const start = path.endsWith(sep) ? path : path + sep;
  for (const { name } of entries.filter(({ name }) => !isText(name)))
    warn(`${join(path, name)} is skipped: ${notText}`);
  return entries
    .filter((entry) => !entry.name.startsWith(".") && (entry.isDirectory() || entry.isSymbolicLink()))
    .map(({ name }) => ({ path: start + name, depth: depth + 1 }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}
