import { type Dirent, lstatSync, readdirSync } from "node:fs";
import { join, sep } from "node:path";
import { JobsError } from "../errors.ts";
import { isText, notText } from "./area.ts";
import { resolveInside, resolveRoots } from "./roots.ts";
import { systemCode } from "./system-code.ts";

export interface ListAreasOptions {
  /** How many directories below a root an area may be. */
  depth?: number;
  /** How many directories are looked into altogether. */
  most?: number;
  /** Told in a sentence what was not looked at: a root that is not there, a directory that cannot be read. */
  warn?: (sentence: string) => void;
}

interface Place {
  path: string;
  depth: number;
}

/**
 * The areas below the roots, each once, by the shortest path that leads to it: its users' caches are named after the
 * path they use. Links are followed as far as they lead to below a root. Nothing in an area is looked at, nor what
 * begins with a dot.
 */
export function* listAreas(roots: readonly string[], options: ListAreasOptions = {}): Generator<string> {
  const { depth = 4, most = 50_000, warn = () => {} } = options;
  const realRoots = resolveRoots(roots);
  const seen = new Set<string>();
  const places: Place[] = roots.map((path) => ({ path, depth: 0 }));
  // One level after the other, so that the shortest path comes first.
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

/** Undefined where a path leads nowhere, or out of the roots. */
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
      return false; // not for us to enter: reading it is told
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
